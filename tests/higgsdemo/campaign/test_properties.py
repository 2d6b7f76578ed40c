"""Whatever JSON is thrown at it, a campaign is loaded or refused with a message; it never breaks."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from higgsdemo.campaign import CampaignError, RunOptions, apply_conf, load_campaign, parse_campaign
from higgsdemo.campaign.schema import json_schema
from higgsdemo.campaign.trigger_conf import CONF_KEYS
from written_campaigns import CONF, VALID, damaged, documents

SCHEMA = Draft202012Validator(json_schema())


def check_message(message: str, source: str) -> None:
    assert message.startswith(source)
    assert "secret@" not in message
    assert message.encode("utf-8")


def test_the_documents_that_get_damaged_are_valid() -> None:
    apply_conf(parse_campaign(VALID, "campaign.json"), CONF)


@pytest.mark.parametrize(
    "written", [documents, damaged(VALID), damaged(VALID["mapping"])], ids=["any", "campaign", "list"]
)
@given(data=st.data())
def test_any_document_is_a_campaign_or_refused(written: st.SearchStrategy[Any], data: st.DataObject) -> None:
    document = data.draw(written)
    try:
        campaign = parse_campaign(document, "campaign.json")
    except CampaignError as error:
        check_message(str(error), "campaign.json")
        return
    assert not list(SCHEMA.iter_errors(json.loads(json.dumps(document)))), "the schema refuses what is valid"
    clusters = campaign.clusters()
    json.dumps([cluster.model_dump(mode="json") for cluster in clusters])
    again = campaign.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert parse_campaign(again, "again").clusters() == clusters


@given(damaged(CONF) | documents | st.dictionaries(st.sampled_from(CONF_KEYS), documents, max_size=3))
def test_any_conf_is_applied_or_refused(conf: Any) -> None:
    campaign = parse_campaign(VALID, "campaign.json")
    try:
        changed, options = apply_conf(campaign, conf)
    except CampaignError as error:
        check_message(str(error), "trigger conf")
        return
    assert isinstance(options, RunOptions)
    assert changed.clusters()
    assert apply_conf(campaign, conf) == (changed, options)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=60), documents.map(lambda document: json.dumps(document).encode())))
def test_any_file_is_a_campaign_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.json"
    path.write_bytes(content)
    try:
        load_campaign(path)
    except CampaignError as error:
        check_message(str(error), str(path))


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_bottomless_file_is_refused(tmp_path: Path, opening: str) -> None:
    path = tmp_path / "deep.json"
    path.write_text(opening * 100_000)
    with pytest.raises(CampaignError) as refused:
        load_campaign(path)
    assert str(refused.value) == f"{path}: the file is not JSON: it is nested deeper than 12 levels"

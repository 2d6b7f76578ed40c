"""Whatever JSON is thrown at it, a campaign is loaded or refused with a message; it never breaks."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from higgsdemo.campaign import CampaignError, RunOptions, apply_conf, load_campaign, parse_campaign
from higgsdemo.campaign.override import CONF_KEYS
from higgsdemo.campaign.schema import json_schema

SCHEMA = Draft202012Validator(json_schema())
DATASET = "CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20000"
OTHER = "CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20001"
VALID: dict[str, Any] = {
    "$schema": "./campaign.schema.json",
    "title": "A campaign",
    "description": "Some words.",
    "catalogue": "cms-higgs",
    "workload": "nanoaod",
    "image": "registry.example.org/higgs:1",
    "namespace": "higgs",
    "storage": {
        "input": "s3://higgs-demo",
        "output": "s3://results/here",
        "pod_endpoint": "http://10.0.0.1:9000",
    },
    "schedule": "0 3 * * *",
    "cleanup": "jobs",
    "tolerance": 0.01,
    "download_limit_kbps": 50000,
    "defaults": {"provider": "local", "flavor": "local-2", "resources": {"cpu": "900m", "memory": "1Gi"}},
    "mapping": [
        {
            "name": "one",
            "nodes": "22",
            "dpath": "/dev/shm",
            "datasets": [DATASET, {"url": "s3://elsewhere/a/b"}],
        },
        {
            "provider": "gke",
            "flavor": "n1-highmem-16",
            "datasets": [f"min_datasets_s3/{OTHER}_file_index.txt"],
        },
    ],
}
CONF: dict[str, Any] = {
    "run_name": "again",
    "stages": ["create", "submit"],
    "clusters": ["one"],
    "resume": True,
    "max_shards": 3,
    "mapping": VALID["mapping"],
    "storage": {"output": "s3://other-results"},
    "image": "higgs:2",
    "cleanup": "clusters",
}

numbers = st.one_of(st.integers(), st.floats(), st.sampled_from([0, 1, -1, 1.0, 0.999, 2**70, 10**400]))
texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            *("", " ", "\n", "\x00", "\ud800", "{{ x }}", "{% x %}", "22", DATASET),
            *("../x", "/etc/passwd", "a/../b", "x_file_index.txt", "min_datasets/x.txt"),
            *("s3://", "gs://x", "s3://b/..", "s3://user:secret@bucket", "http://[::1", "http://h:99999999"),
            *("@daily", "* * * * *", "0 0 31 2 *", "*/0 * * * *", "1Gi", "1e3", "local-0", "local-3"),
        ]
    ),
)
documents = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(texts, st.sampled_from([*VALID, *VALID["mapping"][0]])), inner, max_size=5),
    ),
    max_leaves=20,
)


@st.composite
def damaged(draw: st.DrawFn, valid: Any) -> Any:
    """A valid document of which one or two parts are replaced, removed or added to."""
    document = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 2))):
        part = document
        while True:
            keys = list(part) if isinstance(part, dict) else list(range(len(part)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(part[key], dict | list) and draw(st.booleans()):
                part = part[key]
                continue
            match draw(st.sampled_from(["replace", "remove", "add"])):
                case "replace":
                    part[key] = draw(documents)
                case "remove":
                    del part[key]
                case "add" if isinstance(part, dict):
                    part[draw(texts)] = draw(documents)
                case "add":
                    part.append(draw(documents))
            break
    return document


def check_message(message: str, source: str) -> None:
    assert message.startswith(source)
    assert "secret@" not in message
    assert message.encode("utf-8")


def refused_or_usable(document: Any) -> None:
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


def test_the_documents_that_get_damaged_are_valid() -> None:
    apply_conf(parse_campaign(VALID, "campaign.json"), CONF)


@given(documents)
def test_any_document_is_a_campaign_or_refused(document: Any) -> None:
    refused_or_usable(document)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(damaged(VALID))
def test_any_damaged_campaign_is_a_campaign_or_refused(document: Any) -> None:
    refused_or_usable(document)


@settings(max_examples=200)
@given(damaged(VALID["mapping"]))
def test_any_damaged_list_is_a_campaign_or_refused(document: Any) -> None:
    refused_or_usable(document)


@settings(max_examples=400)
@given(
    st.one_of(damaged(CONF), documents, st.dictionaries(st.sampled_from(CONF_KEYS), documents, max_size=3))
)
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
    assert str(refused.value) == f"{path}: the file is nested deeper than 12 levels"

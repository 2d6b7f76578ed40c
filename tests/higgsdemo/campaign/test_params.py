"""The params of a campaign's DAG, checked by Airflow's own Param."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Param
from airflow.sdk.exceptions import ParamValidationError

from higgsdemo.campaign import (
    Campaign,
    CampaignError,
    RunOptions,
    apply_conf,
    config_files,
    load_campaign,
    param_schemas,
    parse_campaign,
)
from higgsdemo.campaign.trigger_conf import CONF_KEYS
from tables import cases

CONFIG = Path(__file__).parents[3] / "include" / "config"


DEMO = load_campaign(CONFIG / "demo-local.json")


@pytest.fixture(params=config_files(CONFIG), ids=lambda path: path.stem)
def campaign(request: pytest.FixtureRequest) -> Campaign:
    return load_campaign(request.param)


def test_there_is_a_param_for_every_key_of_the_conf(campaign: Campaign) -> None:
    assert sorted(param_schemas(campaign)) == sorted(CONF_KEYS)


def test_the_defaults_pass_their_own_check_and_change_nothing(campaign: Campaign) -> None:
    conf = {name: Param(**schema).resolve() for name, schema in param_schemas(campaign).items()}
    changed, options = apply_conf(campaign, conf)
    assert changed.model_dump() == campaign.model_dump()
    assert options == RunOptions()


def test_the_form_shows_what_the_campaign_says(changed: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    document = changed({"cleanup": "jobs", "image": "mine:2"})
    schemas = param_schemas(parse_campaign(document, "higgs.json"))
    assert {name: schema["default"] for name, schema in schemas.items()} == {
        "run_name": None,
        "stages": ["create", "prepare", "submit", "cleanup"],
        "clusters": None,
        "resume": False,
        "max_shards": None,
        "mapping": document["mapping"],
        "storage": document["storage"],
        "image": "mine:2",
        "stage_in_image": None,
        "read": "stage-in",
        "shard_events": None,
        "compare": None,
        "cleanup": "jobs",
    }


def test_the_form_can_pick_an_input_for_every_param(campaign: Campaign) -> None:
    schemas = param_schemas(campaign)
    for schema in schemas.values():
        assert {"title", "description_md", "section", "type"} <= set(schema)
        assert "anyOf" not in schema
        assert "null" in schema["type"]  # the form stars what may not be empty
    assert schemas["stages"]["examples"] == ["create", "prepare", "submit", "cleanup"]
    assert schemas["clusters"]["examples"] == [cluster.name for cluster in campaign.clusters()]
    assert schemas["mapping"]["items"]["type"] == "object"
    assert "examples" not in schemas["mapping"]


@cases
def test_a_good_value_passes(name: str, value: Any) -> None:
    assert Param(**param_schemas(DEMO)[name]).resolve(value) == value


@cases
def test_a_bad_value_is_refused_at_the_trigger(name: str, value: Any) -> None:
    with pytest.raises(ParamValidationError):
        Param(**param_schemas(DEMO)[name]).resolve(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mapping", [{"datasets": ["x"], "node": 1}]),
        ("mapping", []),
        ("storage", {"inputs": "s3://bucket"}),
        ("max_shards", -3),
    ],
)
def test_the_form_lets_pass_what_is_refused_in_a_sentence(name: str, value: Any) -> None:
    Param(**param_schemas(DEMO)[name]).resolve(value)
    with pytest.raises(CampaignError, match=f"^trigger conf: {name}"):
        apply_conf(DEMO, {name: value})

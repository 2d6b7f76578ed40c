"""The JSON Schema of campaign files: current, and of one mind with the model."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from campaign_changes import Change
from higgsdemo.campaign import config_files
from higgsdemo.campaign.schema import SCHEMA_FILE, json_schema, schema_text
from tables import cases

VALIDATOR = Draft202012Validator(json_schema())
CONFIG = Path(__file__).parents[3] / "include" / "config"


def test_the_written_schema_is_current() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run python -m higgsdemo.campaign.schema"


def test_it_is_a_json_schema() -> None:
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", config_files(CONFIG), ids=lambda path: path.stem)
def test_a_shipped_campaign_names_it_and_keeps_it(path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    assert (CONFIG / document["$schema"]).resolve() == SCHEMA_FILE
    VALIDATOR.validate(document)


def test_the_list_of_the_original_keeps_it() -> None:
    entry = {"datasets": ["datasets_s3/x_file_index.txt"], "flavor": "n1-highmem-16", "nodes": "22"}
    VALIDATOR.validate([entry | {"dpath": "/dev/shm"}])


@cases
def test_it_refuses_what_the_model_refuses(changed: Change, change: dict[str, Any]) -> None:
    assert VALIDATOR.is_valid(changed({}))
    assert not VALIDATOR.is_valid(changed(change))

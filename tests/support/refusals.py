"""What is refused, and in which words: the tables of tests/higgsdemo/refusals."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from higgsdemo.campaign import Campaign
from higgsdemo.campaign.entries import ClusterEntry, DatasetEntry
from higgsdemo.campaign.storage import Storage
from higgsdemo.campaign.trigger_conf import CONF_KEYS

FOLDER = Path(__file__).parents[1] / "higgsdemo" / "refusals"
LISTS = {"(the keys of a conf)": f"(the keys are {', '.join(CONF_KEYS)})"} | {
    f"(the fields of {model.__name__})": (
        f"(the fields are {', '.join(field.alias or name for name, field in model.model_fields.items())})"
    )
    for model in (Campaign, ClusterEntry, DatasetEntry, Storage)
}
"""What a message tells of the fields that there are, by how the tables write it."""


def table(name: str) -> Any:
    """Return a table as its file has it."""
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


def refusals(name: str) -> list[Any]:
    """Cases for `parametrize`: what is given, and what is told after its source's name."""
    cases = []
    for title, (given, told) in ((title, case.values()) for title, case in table(name).items()):
        for short, full in LISTS.items():
            told = told.replace(short, full)
        several = told.startswith("has ") and "\n" in told
        cases.append(pytest.param(given, f" {told}" if several else f": {told}", id=title))
    return cases

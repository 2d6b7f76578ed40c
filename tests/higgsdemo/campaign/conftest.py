"""A valid campaign, and a way to spoil it."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

ELECTRONS = "CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20000"
VALID: dict[str, Any] = {
    "title": "T",
    "catalogue": "cms-higgs",
    "storage": {"input": "s3://higgs-demo", "output": "s3://higgs-results"},
    "defaults": {"provider": "gke", "flavor": "n1-highmem-16"},
    "mapping": [
        {"name": "first", "datasets": [ELECTRONS]},
        {"name": "second", "datasets": ["CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20001"]},
    ],
}

Change = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture
def changed() -> Change:
    """A function that gives a valid campaign with values at some paths replaced, or removed by `...`."""

    def change(changes: dict[str, Any]) -> dict[str, Any]:
        document = copy.deepcopy(VALID)
        for path, value in changes.items():
            *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
            part: Any = document
            for parent in parents:
                part = part[parent]
            if value is ...:
                del part[last]
            else:
                part[last] = value
        return document

    return change

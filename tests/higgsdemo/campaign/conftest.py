"""A valid campaign, and a way to spoil it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from campaign_changes import with_changes

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
    return partial(with_changes, VALID)

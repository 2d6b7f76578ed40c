"""A valid campaign, and a way to spoil it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from campaign_changes import Change, with_changes
from higgsdemo.campaign import CampaignError, parse_campaign

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


@pytest.fixture
def changed() -> Change:
    """Return a function that makes a valid campaign with values at some paths replaced (`...`: removed)."""
    return partial(with_changes, VALID)


@pytest.fixture
def refusal(changed: Change) -> Callable[[dict[str, Any]], str]:

    def refuse(changes: dict[str, Any]) -> str:
        with pytest.raises(CampaignError) as refused:
            parse_campaign(changed(changes), "higgs.json")
        return str(refused.value).removeprefix("higgs.json")

    return refuse

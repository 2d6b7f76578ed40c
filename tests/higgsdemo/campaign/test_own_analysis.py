"""A campaign of an analysis of one's own: what it must say, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest

from higgsdemo.campaign import parse_campaign

Change = Callable[[dict[str, Any]], dict[str, Any]]
Refusal = Callable[[dict[str, Any]], str]
MASS = {"name": "mass", "bins": 60, "low": 60, "high": 120, "label": "Mass [GeV]"}
OWN = {"workload": "own", "image": "mine:1", "histograms": [MASS]}


def test_an_own_analysis_names_its_image_and_its_histograms(changed: Change) -> None:
    campaign = parse_campaign(changed(OWN), "mine.json")
    assert [histogram.model_dump() for histogram in campaign.histograms] == [
        {"name": "mass", "bins": 60, "low": 60.0, "high": 120.0, "label": "Mass [GeV]"}
    ]
    assert campaign.histograms[0].axis == "Mass [GeV]"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": ...}, 'image is missing: the workload "own" is the image that you name'),
        ({"histograms": []}, 'histograms are missing: say which the results of the workload "own" have'),
        ({"workload": "nanoaod"}, 'histograms belong to the workload "own"; this one is "nanoaod"'),
        (
            {"histograms": [MASS | {"high": 60}]},
            "histograms[0].high is 60, which is not above the lower edge 60",
        ),
        ({"histograms": [MASS, MASS]}, 'histograms[1].name is "mass", which another histogram has too'),
        (
            {"histograms": [MASS | {"bins": 1001}]},
            "histograms[0].bins is 1001; it must be a whole number from 1 to 1000",
        ),
        ({"histograms": [MASS | {"low": "0"}]}, 'histograms[0].low is "0"; it must be a number'),
        (
            {"histograms": [MASS | {"name": "m 1"}]},
            'histograms[0].name is "m 1"; it must be letters, digits and underscores, with a letter first',
        ),
    ],
)
def test_what_is_missing_or_wrong_is_said(refusal: Refusal, change: dict[str, Any], message: str) -> None:
    changes = {key: value for key, value in (OWN | change).items() if value is not ...}
    assert refusal(changes) == f": {message}"

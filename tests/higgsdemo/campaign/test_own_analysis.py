"""A campaign of an analysis of one's own: what it must say, and what is refused."""

from campaign_changes import Change
from higgsdemo.campaign import parse_campaign

MASS = {"name": "mass", "bins": 60, "low": 60, "high": 120, "label": "Mass [GeV]"}
OWN = {"workload": "own", "image": "mine:1", "histograms": [MASS]}


def test_an_own_analysis_names_its_image_and_its_histograms(changed: Change) -> None:
    campaign = parse_campaign(changed(OWN), "mine.json")
    assert [histogram.model_dump() for histogram in campaign.histograms] == [
        {"name": "mass", "bins": 60, "low": 60.0, "high": 120.0, "label": "Mass [GeV]"}
    ]
    assert campaign.histograms[0].axis == "Mass [GeV]"

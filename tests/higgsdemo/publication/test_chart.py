"""The numbers of the plot, as the page and `spectrum.json` have them."""

import json

import pytest

from higgsdemo.physics.normalisation import normalise
from higgsdemo.publication.chart import chart
from result_documents import NOTE, catalogue, merged, recorded, sample, stored

SMALL = catalogue(
    sample("data", "data", files=1),
    sample("higgs", "higgs", files=1),
    sample("zz", "zz", files=1, channels=("4mu",)),
    note=NOTE,
)
EXPECTED = {"DATA": 1, "HIGGS": 1, "ZZ": 1}


def numbers() -> dict[str, object]:
    merge = merged(
        [
            recorded("DATA", "a", counts={"4mu": {18: 4}, "4e": {18: 1}}),
            stored("HIGGS", "a", processed=1000, counts={"4mu": {18: 2}, "2e2mu": {17: 1}}),
            stored("ZZ", "a", processed=500, counts={"4mu": {7: 3}, "4e": {7: 9}}),
        ]
    )
    found: dict[str, object] = json.loads(
        json.dumps(chart(normalise(merge.datasets, SMALL, EXPECTED), SMALL))
    )
    return found


def test_a_channel_has_the_data_and_the_weighted_stack() -> None:
    channel = numbers()["channels"]["4mu"]  # type: ignore[index]
    assert channel["data"]["counts"][18] == 4
    assert (channel["data"]["low"][18], channel["data"]["high"][18]) == pytest.approx(
        (2.08566, 7.16275), abs=1e-4
    )
    assert {group: values[18] for group, values in channel["stack"].items()} == {
        "ttbar": 0,
        "dy": 0,
        "zz": 0,
        "higgs": 2.0,  # 2 events of weight 1000/pb x 1 pb / 1000 processed
    }
    assert channel["stack"]["zz"][7] == 6.0
    assert channel["error"][18] == pytest.approx((2 + (2 * 1.841) ** 2) ** 0.5, rel=1e-4)  # no ZZ


def test_all_is_the_sum_of_the_channels_that_each_sample_fills() -> None:
    whole = numbers()["channels"]["all"]  # type: ignore[index]
    assert whole["data"]["counts"][18] == 5
    assert (whole["stack"]["higgs"][17], whole["stack"]["zz"][7]) == (1.0, 6.0)


def test_it_says_what_the_numbers_are() -> None:
    found = numbers()
    assert {key: found[key] for key in ("note", "low", "high", "bins", "window", "luminosity", "absent")} == {
        "note": NOTE,
        "low": 70.0,
        "high": 181.0,
        "bins": 37,
        "window": [121.0, 130.0],
        "luminosity": "1.0 fb⁻¹ (8 TeV)",
        "absent": [],
    }
    assert found["yields"]["zz"]["all"]["total"] == pytest.approx(6.0)  # type: ignore[index]


def test_what_was_not_processed_has_no_yield() -> None:
    yields = numbers()["yields"]
    assert {group: list(channels) for group, channels in yields.items()} == {  # type: ignore[attr-defined]
        "data": ["4mu", "4e", "2e2mu", "all"],
        "higgs": ["4mu", "4e", "2e2mu", "all"],
        "zz": ["4mu", "all"],
    }
    assert chart(normalise(merged([]).datasets, SMALL, EXPECTED), SMALL)["yields"] == {}


def test_before_any_result_there_are_numbers_too() -> None:
    empty = chart(normalise(merged([]).datasets, SMALL, EXPECTED), SMALL)
    assert json.loads(json.dumps(empty, allow_nan=False))["coverage"] == 0
    assert empty["channels"]["all"]["data"]["low"] == [0.0] * 37

"""The results of an analysis of one's own: checked, added up, drawn and summed up, with its own weights."""

import json
from typing import Any

import pytest

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.physics.spectra import OwnSpectra, add_up
from higgsdemo.publication.chart import own_chart
from higgsdemo.publication.lettering import render
from higgsdemo.publication.spectra_plot import draw_own
from higgsdemo.publication.summarise import summarise
from higgsdemo.publication.yields_table import yields_table
from higgsdemo.results.merge import Merge
from higgsdemo.results.parsing import ResultError, parse_result
from result_documents import NOTE, catalogue, expecting, merged
from tables import cases

PAIRS = HistogramSpec(name="pairs", bins=3, low=60, high=120, label="Mass [GeV]")
PT = HistogramSpec(name="pt", bins=2, low=0, high=100)
BOTH = (PAIRS, PT)
EXPECTED = {"A": 2, "B": 2}


def stored(dataset: str, shard: str, pairs: list[int], pt: Any, /, **more: Any) -> tuple[str, bytes]:
    document = {
        "samplename": dataset,
        "processed": 5,
        "histograms": {"pairs": pairs, "pt": pt, "extra": [1]},
        **more,
    }
    return f"results/{dataset}/{shard}.json", json.dumps(document).encode()


OBJECTS = [
    stored("A", "1", [1, 2, 3], [4, 5]),
    stored("A", "2", [10, 0, 0], [0, 9]),
    stored("B", "1", [0, 7, 0], [0, 0]),
]


@pytest.fixture
def merge() -> Merge:
    return merged(OBJECTS, BOTH)


def spectra(merge: Merge) -> OwnSpectra:
    return add_up(merge.datasets, BOTH, EXPECTED)


def test_histograms_are_added_up_over_shards_and_datasets(merge: Merge) -> None:
    made = spectra(merge)
    assert [made.total(histogram).tolist() for histogram in BOTH] == [[[11, 9, 3]] * 2, [[4, 14]] * 2]
    assert made.coverage == 0.75
    assert {dataset: total.processed for dataset, total in merge.datasets.items()} == {"A": 10, "B": 5}


@cases
def test_what_is_no_document_of_the_campaign_is_refused(change: dict[str, Any], message: str) -> None:
    key, raw = stored("A", "1", [1, 2, 3], [4, 5], **change)
    with pytest.raises(ResultError) as refused:
        parse_result(key, raw, BOTH)
    assert str(refused.value) == f"{key}: {message}"


def test_weights_are_added_up_with_their_squares_which_are_the_errors() -> None:
    weighted = {"contents": [-0.5, 2.25], "squares": [0.25, 4]}
    made = spectra(merged([*OBJECTS, stored("B", "2", [0, 0, 0], weighted)], BOTH))
    assert made.total(PT).tolist() == [[3.5, 16.25], [4.25, 18]]
    data = own_chart(made, catalogue())["channels"]["pt"]["data"]
    assert (data["counts"], data["low"][0], data["high"][0]) == ([3.5, 16.25], 1.43845, 5.56155)
    (errors,) = draw_own(made, "mine", None).axes[1].containers
    segments = errors.lines[2][0].get_segments()
    assert [segment[1][1] for segment in segments] == pytest.approx(data["high"], rel=1e-5)


def test_the_page_gets_a_channel_for_each_histogram(merge: Merge) -> None:
    numbers = own_chart(spectra(merge), catalogue(note=NOTE))
    assert (numbers["note"], numbers["coverage"]) == (NOTE, 0.75)
    assert list(numbers["channels"]) == ["pairs", "pt"]
    pairs = numbers["channels"]["pairs"]
    assert {name: pairs[name] for name in ("label", "low", "high", "bins", "stack", "error")} == {
        "label": "Mass [GeV]",
        "low": 60.0,
        "high": 120.0,
        "bins": 3,
        "stack": {},
        "error": [0, 0, 0],
    }
    assert pairs["data"]["counts"] == [11, 9, 3]
    assert pairs["data"]["low"][0] < 11 < pairs["data"]["high"][0]
    assert numbers["channels"]["pt"]["label"] == "pt"


def test_the_summary_says_how_many_entries_there_are() -> None:
    merge = merged(OBJECTS, BOTH, expected=expecting({"c": {"A": ["1", "2"], "B": ["1"]}}))
    summary = summarise("mine", "run", catalogue(), merge, spectra(merge), merge.expected.clusters)
    assert summary.unassigned == {"A": {"pairs": 16, "pt": 18}, "B": {"pairs": 7, "pt": 0}}
    assert summary.shards.model_dump() == {"expected": 4, "done": 3, "failed": 0, "missing": 1}
    assert yields_table(summary).splitlines() == [
        "3 of 4 shards done, 0 failed, 1 missing",
        "pairs  23 entries",
        "pt     18 entries",
    ]


def test_the_plot_has_a_panel_for_each_histogram(merge: Merge) -> None:
    figure = draw_own(spectra(merge), "mine", NOTE)
    assert [panel.get_xlabel() for panel in figure.axes] == ["Mass [GeV]", "pt"]
    assert [panel.get_xlim() for panel in figure.axes] == [(60, 120), (0, 100)]
    assert figure.axes[0].get_title(loc="right") == f"{NOTE}\n75.0% of the shards"
    (errors,) = figure.axes[1].containers
    segments = errors.lines[2][0].get_segments()
    of_page = own_chart(spectra(merge), catalogue())["channels"]["pt"]["data"]
    assert [segment[0][1] for segment in segments] == pytest.approx(of_page["low"], rel=1e-5)
    assert [segment[1][1] for segment in segments] == pytest.approx(of_page["high"], rel=1e-5)
    bars = figure.axes[0].patches[0].get_data()
    assert bars.values.tolist() == [11, 9, 3]
    pictures = render(figure)
    assert pictures["png"].startswith(b"\x89PNG")

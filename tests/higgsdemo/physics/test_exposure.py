"""What luminosity a partial campaign covers, against numbers worked out by hand."""

import pytest

from higgsdemo.physics.exposure import tell_beyond
from higgsdemo.physics.normalisation import Spectrum
from result_documents import ALL, catalogue, histogram, recorded, sample, spectrum_of, stored


def covered(spectrum: Spectrum) -> dict[tuple[int, str], float]:
    return {(e.year, e.channel): e.covered_pb for e in spectrum.exposures}


def test_simulation_is_scaled_to_the_luminosity_its_channel_covers() -> None:
    known = catalogue(
        sample("mu", "data", channels=("4mu", "2e2mu"), files=4),
        sample("e", "data", channels=("4e",), files=2),
        sample("h", "higgs", files=1),
    )
    data = [recorded("MU", "x"), recorded("E", "x"), recorded("E", "y")]
    found = spectrum_of(known, *data, stored("H", "x", 1000))
    assert covered(found) == {(2012, "4mu"): 250.0, (2012, "4e"): 1000.0, (2012, "2e2mu"): 250.0}
    assert found.weights == {"h": {"4mu": 0.25, "4e": 1.0, "2e2mu": 0.25}}
    assert (found.shards_computed, found.shards_expected, found.coverage) == (4, 7, 4 / 7)


@pytest.mark.parametrize(
    ("files", "other", "expected", "pb", "coverage"),
    [
        (100, recorded("D", "y"), 2, 20.0, 1.0),  # of all the year's files, though a campaign asks for few
        (2, recorded("D", "y", 0, test_mode=True), 2, 500.0, 0.5),
        (8, stored("D", "y"), 8, 125.0, 0.25),  # of a shard that states no luminosity
    ],
)
def test_shards_cover_the_luminosity_that_they_state_of_that_of_all_files(
    files: int, other: tuple[str, bytes], expected: int, pb: float, coverage: float
) -> None:
    known = catalogue(sample("d", "data", files=files))
    found = spectrum_of(known, recorded("D", "x"), other, expected={"D": expected})
    assert (covered(found)[2012, "4mu"], found.coverage) == (pb, coverage)


def stating(dataset: str, shard: str, pb: float) -> tuple[str, bytes]:
    return stored(dataset, shard, lumi={"stream": "stream", "value": pb * 1e6})


def test_luminosity_is_what_the_shards_state() -> None:
    known = catalogue(
        sample("b", "data", channels=("4mu", "2e2mu"), files=2),
        sample("c", "data", channels=("4mu", "2e2mu"), files=2),
        sample("e", "data", channels=("4e",), files=2),
    ).model_copy(update={"streams": {"stream": {"b": 100.0, "c": 300.0, "e": 400.0}}})
    found = spectrum_of(known, stating("B", "x", 70.0), stating("C", "y", 130.0), stating("E", "x", 100.0))
    assert covered(found) == {(2012, "4mu"): 500.0, (2012, "4e"): 250.0, (2012, "2e2mu"): 500.0}


def test_luminosity_above_all_that_there_is_is_told_and_not_scaled_to() -> None:
    known = catalogue(
        sample("mu", "data", channels=("4mu",)), sample("e", "data", channels=("4e",)), sample("h", "higgs")
    ).model_copy(update={"streams": {"stream": {"mu": 400.0, "e": 400.0}}})
    found = spectrum_of(known, stating("MU", "x", 600.0), stating("E", "x", 400.3), stored("H", "x", 100))
    assert {e.channel: (e.covered_pb, round(e.beyond_pb, 6)) for e in found.exposures} == {
        "4mu": (1000.0, 500.0),
        "4e": (1000.0, 0.0),
        "2e2mu": (0.0, 0.0),
    }
    assert tell_beyond(found.exposures) == ["data of 1500 /pb of 1000 (2012, 4mu)"]


@pytest.mark.parametrize("expected", [{"B": 2, "C": 2}, {"B": 12, "C": 12}, {"B": 100}])
def test_parts_of_files_bear_parts_of_the_luminosity_whatever_a_campaign_asks_for(
    expected: dict[str, int],
) -> None:
    """Two sixths of one of the two files of B: a twelfth of what B and C have together."""
    known = catalogue(sample("b", "data", files=2), sample("c", "data", files=2))
    found = spectrum_of(known, *(stating("B", f"part-{n}", 1 / 6) for n in range(2)), expected=expected)
    assert covered(found)[2012, "4mu"] == pytest.approx(1000 / 12)


def test_years_are_covered_apart() -> None:
    known = catalogue(
        sample("d11", "data", 2011, files=2),
        sample("d12", "data", 2012, files=4),
        sample("h11", "higgs", 2011),
        sample("h12", "higgs", 2012),
        luminosity_pb={2011: 100.0, 2012: 1000.0},
    )
    data = [recorded("D11", "x"), recorded("D12", "x")]
    found = spectrum_of(known, *data, stored("H11", "x", 50), stored("H12", "x", 50))
    assert (covered(found)[2011, "4mu"], covered(found)[2012, "4mu"]) == (50.0, 250.0)
    assert (found.weights["h11"]["4mu"], found.weights["h12"]["4mu"]) == (1.0, 5.0)


@pytest.mark.parametrize(("expected", "pb"), [({"H": 2}, 1000.0), (None, 0.0)])
def test_a_campaign_without_data_predicts_the_whole_luminosity_and_one_whose_data_failed_nothing(
    expected: dict[str, int] | None, pb: float
) -> None:
    known = catalogue(sample("d", "data"), sample("h", "higgs"))
    found = spectrum_of(known, stored("H", "x", 1000, {"4mu": {18: 7}}), expected=expected)
    assert covered(found) == {(2012, channel): pb for channel in ALL}
    assert found.combined("higgs").values().tolist() == histogram({18: 7} if pb else {})


def test_results_nobody_asked_for_cover_no_more_than_all() -> None:
    known = catalogue(sample("d", "data"), sample("h", "higgs"))
    objects = [stored("D", "x"), stored("D", "y"), stored("H", "x")]
    assert spectrum_of(known, *objects, expected={"D": 1, "H": 2}).coverage == 2 / 3

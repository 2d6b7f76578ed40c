"""Weights and yields, against numbers worked out by hand."""

import pytest

from higgsdemo.physics.normalisation import Spectrum
from higgsdemo.physics.yields import Yield
from result_documents import (
    ALL,
    catalogue,
    histogram,
    recorded,
    sample,
    spectrum_of,
    stored,
)
from tables import cases


def unseen(spectrum: Spectrum, group: str, channel: str) -> dict[int, float]:
    """By bin without an event, the events that may yet be expected there."""
    return {bin: value**0.5 for bin, value in enumerate(spectrum.unseen[2012][group][channel]) if value}


def test_the_weight_is_luminosity_times_cross_section_times_scale_factor_over_processed() -> None:
    known = catalogue(sample("h", "higgs", cross_section_pb=0.5, scale_factor=1.2))
    found = spectrum_of(
        known, stored("H", "x", 100, {"4mu": {18: 1}}), stored("H", "y", 300, {"4mu": {18: 3}})
    )
    assert found.weights == {"h": dict.fromkeys(ALL, 1.5)}  # 1000 / pb * 0.5 pb * 1.2 / 400
    assert found.groups["higgs"]["4mu"].values().tolist() == [float(n) for n in histogram({18: 6})]
    assert found.groups["higgs"]["4mu"].variances().tolist() == [float(n) for n in histogram({18: 9})]
    assert unseen(found, "higgs", "4mu") == {
        bin: pytest.approx(1.841 * 1.5) for bin in range(37) if bin != 18
    }
    assert unseen(found, "higgs", "4e") == dict.fromkeys(range(37), pytest.approx(1.841 * 1.5))
    assert found.yields()["higgs"]["all"] == Yield(6.0, 3.0, 6.0, 3.0)
    assert found.yields()["higgs"]["4e"] == Yield(0.0, 0.0, 0.0, 0.0)


def test_data_are_not_weighted() -> None:
    known = catalogue(sample("d", "data"), luminosity_pb={2012: 123.0})
    found = spectrum_of(known, stored("D", "x", 1000, {"4mu": {0: 4, 18: 5}}), stored("D", "y", 1000))
    assert found.groups["data"]["4mu"].values().tolist() == histogram({0: 4, 18: 5})
    assert found.groups["data"]["4mu"].variances().tolist() == histogram({0: 4, 18: 5})
    assert found.yields()["data"]["all"] == Yield(9.0, 3.0, 5.0, 5**0.5)


def test_a_sample_fills_only_its_own_channels() -> None:
    known = catalogue(
        sample("mu", "data", channels=("4mu", "2e2mu")),
        sample("e", "data", channels=("4e",)),
        sample("zz", "zz", channels=("4e",)),
    )
    every = {"4mu": {1: 1}, "4e": {2: 1}, "2e2mu": {3: 1}}
    found = spectrum_of(
        known, *(recorded(name, shard, 10, every) for name in known.datasets for shard in "xy")
    )
    assert found.combined("data").values().tolist() == histogram({1: 2, 2: 2, 3: 2})
    assert found.combined("zz").values().nonzero()[0].tolist() == [2]
    assert list(found.weights["zz"]) == ["4e"]


@pytest.mark.parametrize(("bin", "inside"), [(0, 0), (16, 0), (17, 1), (18, 1), (19, 1), (20, 0), (36, 0)])
def test_the_window_is_121_to_130_gev(bin: int, inside: int) -> None:
    found = spectrum_of(catalogue(sample("d", "data", files=1)), stored("D", "x", 10, {"4e": {bin: 1}}))
    assert found.yields()["data"]["all"].window == inside
    assert found.peak("data") == (70 + 3 * bin, 73 + 3 * bin)


def test_slices_of_one_process_share_its_cross_section() -> None:
    both = {"cross_section_pb": 2.0, "generated_events": 500, "files": 1}
    known = catalogue(sample("low", "dy", **both), sample("high", "dy", **both), sample("other", "dy"))
    found = spectrum_of(known, stored("LOW", "x", 300), stored("HIGH", "x", 200), stored("OTHER", "x", 100))
    assert {name: channels["4mu"] for name, channels in found.weights.items()} == {
        "low": 4.0,  # 1000 / pb * 2 pb / 500
        "high": 4.0,
        "other": 10.0,
    }


@cases
def test_a_slice_of_which_shards_are_missing_leaves_its_cross_section_to_no_other(
    low: int, high: int, listed_low: int, listed_high: int, weight_low: float, weight_high: float | None
) -> None:
    """Each shard is half a file, of 50 events: 300 in 3 files of one slice, 200 in 2 of the other."""
    both = {"cross_section_pb": 2.0, "generated_events": 500}
    known = catalogue(sample("low", "dy", files=3, **both), sample("high", "dy", files=2, **both))
    shards = [stored("LOW", str(n), 50) for n in range(low)] + [
        stored("HIGH", str(n), 50) for n in range(high)
    ]
    found = spectrum_of(known, *shards, expected={"LOW": listed_low, "HIGH": listed_high}).weights
    assert found["low"]["4mu"] == pytest.approx(weight_low)
    assert found.get("high", {}).get("4mu") == (weight_high and pytest.approx(weight_high))


def test_processes_of_different_channels_do_not_share_a_cross_section() -> None:
    alike = {"cross_section_pb": 1.0, "generated_events": 100}
    known = catalogue(
        sample("mu", "zz", channels=("4mu",), **alike), sample("e", "zz", channels=("4e",), **alike)
    )
    found = spectrum_of(known, stored("MU", "x", 100), stored("E", "x", 100))
    assert found.weights == {"mu": {"4mu": 10.0}, "e": {"4e": 10.0}}


def test_the_weights_of_a_generator_stand_for_its_events() -> None:
    """Three events of +1.5 and one of -0.5 in a bin, of a sample whose weights add up to 50."""
    sums = {channel: [0.0] * 37 for channel in ALL}
    weights = {
        "processed": 50.0,
        "sums": sums | {"4mu": [float(n) for n in histogram({18: 4})]},
        "squares": sums | {"4mu": [float(n) for n in histogram({18: 7})]},
    }
    known = catalogue(sample("tt", "ttbar", files=1, cross_section_pb=0.1))
    found = spectrum_of(known, stored("TT", "x", 100, {"4mu": {18: 4}}, weights=weights))
    assert found.weights == {"tt": dict.fromkeys(ALL, 2.0)}  # 1000 / pb * 0.1 pb / 50
    assert found.combined("ttbar").values()[18] == 8.0
    assert found.combined("ttbar").variances()[18] == 28.0
    assert unseen(found, "ttbar", "4e")[0] == pytest.approx(1.841 * 2 * (7 / 4) ** 0.5)
    none = spectrum_of(known, stored("TT", "x", 100, weights=weights | {"sums": sums, "squares": sums}))
    assert unseen(none, "ttbar", "4e")[0] == pytest.approx(1.841 * 2 * 50 / 100)


@pytest.mark.parametrize("processed", [0.0, -3.0, 0.1 + 0.2 - 0.3, 1e-300])
def test_weights_that_add_up_to_nothing_normalise_nothing_and_are_told(processed: float) -> None:
    sums = {channel: [0.5] * 37 for channel in ALL}
    weights = {"processed": processed, "sums": sums, "squares": sums}
    known = catalogue(sample("tt", "ttbar", files=1), sample("h", "higgs", files=1))
    events = {"4mu": {18: 3}} if processed > 1e-300 else None
    found = spectrum_of(known, stored("TT", "x", 100, events, weights=weights), stored("H", "x", 9))
    assert (found.weightless, found.absent, list(found.weights)) == (("tt",), ("tt",), ["h"])


def test_years_are_kept_apart_and_add_up() -> None:
    known = catalogue(
        sample("d11", "data", 2011), sample("d12", "data", 2012), luminosity_pb={2011: 100.0, 2012: 1000.0}
    )
    found = spectrum_of(known, stored("D11", "x", 9, {"4e": {3: 2}}), stored("D12", "x", 9, {"4e": {3: 5}}))
    assert {year: groups["data"]["4e"].values()[3] for year, groups in found.years.items()} == {
        2011: 2.0,
        2012: 5.0,
    }
    assert found.groups["data"]["4e"].values().tolist() == histogram({3: 7})
    by_year = found.yields_by_year()
    assert (by_year[2011]["data"]["all"].total, by_year[2012]["data"]["4e"].total) == (2.0, 5.0)


def test_missing_simulated_shards_change_the_weight_and_not_the_yield() -> None:
    known = catalogue(sample("h", "higgs"))
    whole = [stored("H", shard, 100, {"4mu": {18: 4}}) for shard in "xy"]
    assert spectrum_of(known, *whole).yields()["higgs"]["all"].total == 40.0
    assert spectrum_of(known, *whole[:1]).yields()["higgs"]["all"].total == 40.0


def test_datasets_outside_the_catalogue_are_kept_apart() -> None:
    known = catalogue(sample("d", "data"))
    found = spectrum_of(known, stored("MY-OWN", "x", 10, {"4e": {5: 2}}), expected={"D": 2, "MY-OWN": 1})
    assert list(found.unassigned) == ["MY-OWN"]
    assert found.unassigned["MY-OWN"]["4e"].values().tolist() == histogram({5: 2})
    assert found.combined("data").values().tolist() == histogram()
    assert (found.shards_computed, found.shards_expected) == (1, 3)


def test_samples_without_events_are_named() -> None:
    known = catalogue(sample("h", "higgs"), sample("zz", "zz"), sample("dy", "dy"), sample("tt", "ttbar"))
    found = spectrum_of(
        known, stored("H", "x", 10), stored("ZZ", "x", 0), expected={"H": 1, "ZZ": 1, "DY": 1}
    )
    assert found.absent == ("dy", "tt", "zz")
    assert list(found.weights) == ["h"]


def test_the_peak_is_the_highest_bin_of_all_channels_together() -> None:
    known = catalogue(sample("h", "higgs", files=1))
    found = spectrum_of(
        known, stored("H", "x", 100, {"4mu": {17: 3, 18: 2}, "4e": {18: 2}, "2e2mu": {19: 3}})
    )
    assert found.peak("higgs") == (124.0, 127.0)
    assert found.peak("data") is None

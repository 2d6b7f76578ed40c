"""The fit of a spectrum: against closed forms where it is a counting experiment, and what is told without."""

import json
from pathlib import Path

import pyhf
import pytest

from counting_experiment import closed_form
from higgsdemo.catalogue import Catalogue
from higgsdemo.physics.discovery import Discovery, discovery_in
from higgsdemo.physics.normalisation import Spectrum, normalise
from higgsdemo.physics.workspace import workspace
from result_documents import catalogue, merged, recorded, sample, stored, uncertainty
from tables import cases


def known(**uncertainty: float) -> Catalogue:
    simulated = (sample(group, group, files=1) for group in ("higgs", "zz"))
    found = catalogue(sample("data", "data", files=1), *simulated)
    return found.model_copy(
        update={"luminosity_uncertainty": {int(y[1:]): d for y, d in uncertainty.items()}}
    )


def spectrum(catalogue: Catalogue, **events: dict[str, dict[int, int]]) -> Spectrum:
    """Return the spectrum of one shard of each dataset: of 1000 events, some are selected, of weight 1."""
    merge = merged(
        (recorded if name.startswith("D") else stored)(name, "x", 1000, counts)
        for name, counts in events.items()
    )
    assert merge.corrupt == {}
    return normalise(merge.datasets, catalogue, {name: 1 for name in catalogue.datasets})


def test_a_spectrum_of_one_bin_is_a_counting_experiment() -> None:
    """25 expected of ZZ, each with weight 1: the error is 5, the luminosity is taken as known."""
    whole = known()
    found, fitted = discovery_in(
        spectrum(whole, DATA={"4mu": {18: 40}}, HIGGS={"4mu": {18: 16}}, ZZ={"4mu": {18: 25}}), whole
    )
    assert fitted is not None
    assert found.signal_strength == pytest.approx(15 / 16, abs=2e-3)
    assert found.observed_significance == pytest.approx(closed_form(40, 25, 0.2), abs=2e-3)


def test_an_uncertain_luminosity_makes_a_signal_less_significant() -> None:
    events = {"DATA": {"4mu": {18: 990}}, "HIGGS": {"4mu": {18: 150}}, "ZZ": {"4mu": {18: 800}}}
    found = [
        discovery_in(spectrum(these, **events), these)[0].observed_significance or 0.0
        for these in (known(), known(y2012=0.026), known(y2012=0.1))
    ]
    assert found[0] > found[1] > found[2] > 0


def test_another_minimizer_with_a_parameter_for_each_bin_finds_the_same() -> None:
    """That of pyhf, with the uncertainties of a catalogue; they make the signal less certain."""
    whole = known(y2012=0.026)
    sure = uncertainty("zz", "zz"), uncertainty("scale", "higgs", up=1.003, down=0.997, kind="mass")
    some = whole.model_copy(update={"uncertainties": sure})
    bins = {
        "DATA": {17: 12, 18: 29, 19: 9},
        "HIGGS": {17: 8, 18: 25, 19: 4},
        "ZZ": dict.fromkeys(range(13, 30), 5),
    }
    counts = {name: {channel: of for channel in ("4mu", "4e")} for name, of in bins.items()}
    alone, _ = discovery_in(spectrum(whole, **counts), whole)
    found, fitted = discovery_in(spectrum(some, **counts), some)
    assert (alone.uncertainties, found.uncertainties) == ((), ("zz", "scale"))
    assert (found.expected_significance or 0.0) < (alone.expected_significance or 0.0) - 0.1
    described = pyhf.Workspace(fitted)
    model = described.model()
    data = described.data(model)
    best, least = pyhf.infer.mle.fit(data, model, return_fitted_val=True)
    assert found.signal_strength == pytest.approx(float(best[model.config.poi_index]), abs=2e-3)
    for strength, above in found.scan[::15]:
        _, there = pyhf.infer.mle.fixed_poi_fit(strength, data, model, return_fitted_val=True)
        assert above == pytest.approx(float(there - least), abs=2e-3)
    assert found.scan[0] == (0.0, pytest.approx((found.observed_significance or 0.0) ** 2))


def test_simulation_alone_has_an_expected_significance() -> None:
    alone = known()
    events = {"HIGGS": {"4mu": {18: 16}}, "ZZ": {"4mu": {18: 25}}}
    merge = merged(stored(name, "x", 1000, counts) for name, counts in events.items())
    found, _ = discovery_in(normalise(merge.datasets, alone, {"HIGGS": 1, "ZZ": 1}), alone)
    assert found.expected_significance == pytest.approx(closed_form(41, 25, 0.2), abs=2e-3)
    assert found == Discovery(
        expected_significance=found.expected_significance, statement="no event of data was analysed"
    )


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_fit_that_cannot_converge_is_told_and_not_fatal() -> None:
    """Weights of a generator may add up to less than nothing where few events are selected."""
    whole = known()
    good = spectrum(whole, DATA=FULL, HIGGS=FULL, ZZ={"4mu": {18: 9, 20: 1}})
    good.years[2012]["zz"]["4mu"].view()["value"][20] = -3.0
    found, fitted = discovery_in(good, whole)
    assert fitted is not None
    assert (found.observed_significance, found.expected_significance, found.signal_strength) == (None,) * 3
    assert found.statement is not None
    assert found.statement.startswith("the fit has not converged (")


FULL = {"4mu": {18: 9}}


@cases
def test_where_nothing_can_be_fitted_a_statement_says_why(
    events: dict[str, dict[str, dict[int, int]]], statement: str
) -> None:
    whole = known()
    assert discovery_in(spectrum(whole, **events), whole) == (Discovery(statement=statement), None)


@pytest.mark.parametrize(("signal", "observed"), [(31, 0), (900, 5)])
def test_a_signal_that_is_expected_far_beyond_the_data_is_excluded(signal: int, observed: int) -> None:
    """As that of cross sections in fb: all events twice over are less than the signal that is expected."""
    whole = known()
    events = {"DATA": {"4mu": {18: observed}}, "HIGGS": {"4mu": {18: signal}}, "ZZ": {"4mu": {18: 1}}}
    found, fitted = discovery_in(spectrum(whole, **events), whole)
    assert fitted is not None
    assert found.statement is None
    assert found.signal_strength_interval is not None
    assert found.signal_strength_interval[1] < 0.1
    assert found.signal_strength == pytest.approx(max(observed - 1, 0) / signal, abs=1e-4)


def test_the_workspace_is_the_spectrum() -> None:
    channels = {11: ("4mu",), 12: ("4mu", "4e")}
    two = catalogue(
        *(
            sample(f"{group[0]}{year}", group, 2000 + year, channels=channels[year], files=1)
            for group in ("data", "higgs", "zz")
            for year in channels
        ),
        luminosity_pb={2011: 500.0, 2012: 1000.0},
    ).model_copy(
        update={
            "luminosity_uncertainty": {2011: 0.022, 2012: 0.026},
            "uncertainties": (
                uncertainty("zz", "zz_2012", channels=("4mu",)),
                uncertainty("scale", "higgs", up=1.01, down=0.99, kind="mass"),
            ),
        }
    )
    z = {"4mu": {12: 7, 13: 4, 29: 9, 30: 5}, "4e": {13: 1}}
    found = workspace(
        spectrum(two, D11={"4mu": {13: 2}}, D12={"4mu": {13: 3}}, H11={"4mu": {29: 4}}, H12={}, Z11=z, Z12=z),
        two,
    )

    reviewed = Path(__file__).parents[1] / "manifests" / "workspace.json"
    rounded = json.loads(json.dumps(found), parse_float=lambda number: round(float(number), 6))
    assert rounded == json.loads(reviewed.read_text(encoding="utf-8"))

"""The fit's numbers, against closed forms worked out without pyhf, and against toys.

In a model of one bin with s signal and b background events, n observed:

- b known: q0 = 2 (n ln(n / b) - n + b), the significance of a counting experiment (Cowan, Cranmer, Gross,
  Vitells, Eur. Phys. J. C 71 (2011) 1554, eq. 52; its Asimov value is eq. 97);
- with a relative error d of b: the factor of the background γ, Gaussian about 1, is profiled. With a signal
  of s events n b / (s + γ b) - b - (γ - 1) / d² = 0, which falls with γ (pyhf keeps γ below 10);
  at the best strength, (n - b) / s, γ = 1.
"""

import json
from math import erfc, exp, factorial, log, sqrt
from pathlib import Path

import numpy as np
import pyhf
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from iminuit import Minuit
from scipy.optimize import brentq

from counting_experiment import counting
from higgsdemo.catalogue import Catalogue, Uncertainty
from higgsdemo.physics.discovery import Discovery, NoConvergenceError, discover, discovery_in
from higgsdemo.physics.normalisation import Spectrum, normalise
from higgsdemo.physics.workspace import workspace
from result_documents import ALL, catalogue, merged, recorded, sample, stored

SIGNAL, BACKGROUND, OBSERVED = 8.20, 4.65, 12
"""Higgs, and ZZ with Drell-Yan, in the published yields of 121 to 130 GeV, and the data's events there."""


def fall(n: float, s: float, b: float, d: float = 0.0) -> float:
    """-2 ln λ of n observed events over s + b expected, where b has the relative error d."""
    gamma = 1.0
    if d:
        gamma = brentq(lambda g: n * b / (s + g * b) - b - (g - 1) / d**2, 1e-10, 1e4, xtol=1e-12)
        gamma = min(gamma, 10.0)
    mean = s + gamma * b
    pulled = (gamma - 1) ** 2 / d**2 if d else 0.0
    return 2 * (mean - n + (n * log(n / mean) if n else 0.0)) + pulled


def closed_form(n: float, b: float, d: float = 0.0) -> float:
    """√q0 of n observed events over a background b with the relative error d."""
    return sqrt(fall(n, 0.0, b, d)) if n > b else 0.0


@pytest.mark.parametrize("n", [3, 5, 8, 12, 30])
def test_the_significance_of_a_counting_experiment_is_the_closed_form(n: int) -> None:
    found = discover(counting(SIGNAL, BACKGROUND, n))
    assert found.observed_significance == pytest.approx(closed_form(n, BACKGROUND), abs=2e-3)
    assert found.expected_significance == pytest.approx(
        closed_form(SIGNAL + BACKGROUND, BACKGROUND), abs=1e-4
    )
    assert found.signal_strength == pytest.approx(max(n - BACKGROUND, 0.0) / SIGNAL, abs=2e-3)


def test_the_published_counts_are_an_excess_of_2_8_standard_deviations() -> None:
    """In the window alone, of which 3.1 are expected: √(2 (12 ln(12 / 4.65) - 7.35)) = 2.84."""
    found = discover(counting(SIGNAL, BACKGROUND, OBSERVED))
    assert found.observed_significance == pytest.approx(2.84, abs=0.01)
    assert found.expected_significance == pytest.approx(3.12, abs=0.01)
    assert found.signal_strength == pytest.approx(0.896, abs=0.001)


@settings(deadline=None, max_examples=30)
@example(signal=900.0, background=1.0, observed=5, error=0.033, bins=1)
@example(signal=0.02, background=0.5, observed=40, error=0.4, bins=1)
@given(
    signal=st.floats(0.02, 2000.0),
    background=st.floats(0.05, 300.0),
    observed=st.integers(0, 400),
    error=st.sampled_from([0.0, 0.01, 0.1, 0.3]),
    bins=st.sampled_from([1, 3]),
)
def test_every_number_of_a_counting_experiment_is_the_closed_form(
    signal: float, background: float, observed: int, error: float, bins: int
) -> None:
    """In bins that are alike -2 ln λ adds up; its fall by 1 ends the interval."""
    found = discover(counting(signal, background, observed, error, bins))
    assert found.observed_significance == pytest.approx(
        sqrt(bins) * closed_form(observed, background, error), rel=1e-3, abs=0.01
    )
    assert found.expected_significance == pytest.approx(
        sqrt(bins) * closed_form(signal + background, background, error), rel=1e-3, abs=0.01
    )
    excess = max(observed - background, 0.0) / signal
    least = fall(observed, excess * signal, background, error)
    if found.signal_strength_interval is None:
        highest = max(20.0, 2 * (observed + 10) / signal)
        assert found.statement == f"the data are compatible with all up to {highest:.3g}"
        assert bins * (fall(observed, highest * signal, background, error) - least) < 1.01
        return
    assert found.signal_strength is not None
    low, high = found.signal_strength_interval
    assert low <= excess <= high
    assert found.signal_strength == pytest.approx(excess, abs=0.01 * (high - low))
    for end in (low, high) if low else (high,):
        lower = fall(observed, end * signal, background, error) - least
        assert bins * lower == pytest.approx(1.0, abs=0.01)
    if not low:
        assert bins * (fall(observed, 0.0, background, error) - least) < 1.01


def test_fewer_events_than_background_are_no_signal_at_all() -> None:
    found = discover(counting(SIGNAL, BACKGROUND, 2))
    assert (found.observed_significance, found.signal_strength) == pytest.approx((0.0, 0.0), abs=1e-3)
    assert found.signal_strength_interval is not None
    assert found.signal_strength_interval[0] == 0.0


def test_toys_are_as_rare_as_the_significance_says() -> None:
    """100,000 counts of the background alone: as often as their fits say, they exceed the observed count.

    Counts are whole numbers, so the asymptotic p-value lies between those of at least and more than n.
    """
    counts = np.random.default_rng(125).poisson(BACKGROUND, 100_000)
    values, times = np.unique(counts, return_counts=True)
    fitted = {int(n): discover(counting(SIGNAL, BACKGROUND, int(n))).observed_significance for n in values}
    q0 = np.repeat([fitted[int(n)] or 0.0 for n in values], times)
    for n in (8, 10, OBSERVED):
        seen = fitted[n]
        assert seen is not None
        at_least, more = float(np.mean(q0 > seen - 1e-3)), float(np.mean(q0 > seen + 1e-3))
        asymptotic = erfc(seen / sqrt(2)) / 2
        spread = 4 * sqrt(asymptotic / len(q0))
        assert more - spread < asymptotic < at_least + spread
        tail = 1 - sum(exp(-BACKGROUND) * BACKGROUND**k / factorial(k) for k in range(n))
        assert at_least == pytest.approx(tail, abs=4 * sqrt(tail / len(q0)))


def uncertain(name: str, samples: tuple[str, ...], *channels: str, **fields: object) -> Uncertainty:
    values = {"channels": channels or ALL, "up": 1.1, "down": 0.9, "kind": "events", "source": "-"}
    return Uncertainty.model_validate(values | {"name": name, "samples": samples} | fields)


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
    sure = uncertain("zz", ("zz",)), uncertain("scale", ("higgs",), up=1.003, down=0.997, kind="mass")
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
    for strength, above in found.scan[::6]:
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


@pytest.mark.parametrize("reach", [0.1, 0.9])
def test_a_minimizer_that_stops_short_of_the_minimum_is_found_out(
    reach: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never goes further than to a part of the best signal strength, and says that this is the minimum."""
    migrad = Minuit.migrad

    def stop_short(fit: Minuit) -> Minuit:
        if not fit.fixed[0]:
            fit.limits[0] = (0.0, reach * (OBSERVED - BACKGROUND) / SIGNAL)
        return migrad(fit)

    monkeypatch.setattr(Minuit, "migrad", stop_short)
    with pytest.raises(NoConvergenceError, match=r"the fit has not converged .* above its lowest point"):
        discover(counting(SIGNAL, BACKGROUND, OBSERVED))


FULL = {"4mu": {18: 9}}
TOO_FEW = "too few simulated events: no background is expected in bins that hold data or signal"
NOT_COVERED = "no luminosity is covered: no shard of data that states its own has been analysed"


@pytest.mark.parametrize(
    ("events", "statement"),
    [
        ({"HIGGS": FULL, "ZZ": FULL}, NOT_COVERED),
        ({}, NOT_COVERED),
        ({"DATA": FULL, "HIGGS": FULL}, "the expectation is not complete: no event of zz was processed"),
        ({"DATA": FULL, "ZZ": FULL}, "the expectation is not complete: no event of higgs was processed"),
        (
            {"DATA": FULL, "ZZ": FULL, "HIGGS": {}},
            "no event of a simulated Higgs boson is selected: there is no signal to fit",
        ),
        (
            {"DATA": {"4mu": {13: 1}, "4e": {14: 1}}, "ZZ": FULL, "HIGGS": {"4e": {29: 1, 30: 1}}},
            f"{TOO_FEW} (4mu at 109 GeV, 4e at 112 GeV, 4e at 157 GeV)",
        ),
        (
            {"DATA": {}, "ZZ": {}, "HIGGS": {"4e": {n: 1 for n in range(13, 18)}}},
            f"{TOO_FEW} (4e at 109 GeV, 4e at 112 GeV, 4e at 115 GeV and 2 more)",
        ),
    ],
)
def test_where_nothing_can_be_fitted_a_statement_says_why(
    events: dict[str, dict[str, dict[int, int]]], statement: str
) -> None:
    whole = known()
    assert discovery_in(spectrum(whole, **events), whole) == (Discovery(statement=statement), None)


def test_data_without_an_event_in_the_fitted_bins_can_be_fitted() -> None:
    whole = known(y2012=0.026)
    found, _ = discovery_in(spectrum(whole, DATA={}, HIGGS=FULL, ZZ=FULL), whole)
    assert (found.observed_significance, found.signal_strength) == pytest.approx((0.0, 0.0), abs=1e-3)
    assert found.statement is None


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
                uncertain("zz", ("zz_2012",), "4mu"),
                uncertain("scale", ("higgs",), up=1.01, down=0.99, kind="mass"),
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

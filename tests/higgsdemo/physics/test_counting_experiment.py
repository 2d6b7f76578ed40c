"""The fit of a counting experiment, against closed forms worked out without pyhf, and against toys."""

from math import erfc, exp, factorial, sqrt

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from iminuit import Minuit

from counting_experiment import closed_form, counting, fall
from higgsdemo.physics.discovery import discover
from higgsdemo.physics.likelihood import NoConvergenceError

SIGNAL, BACKGROUND, OBSERVED = 8.20, 4.65, 12
"""Higgs, and ZZ with Drell-Yan, in the published yields of 121 to 130 GeV, and the data's events there."""


@settings(max_examples=30)
@example(signal=SIGNAL, background=BACKGROUND, observed=OBSERVED, error=0.0, bins=1)
@example(signal=SIGNAL, background=BACKGROUND, observed=2, error=0.0, bins=1)
@example(signal=900.0, background=1.0, observed=5, error=0.033, bins=1)
@example(signal=1.0, background=12.0, observed=0, error=0.3, bins=1)
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

"""How significant the excess over the backgrounds is, and how strong the signal in it.

The test statistic is that of a discovery, q0 = -2 ln λ(0) for an excess and 0 otherwise, with its
asymptotic distribution: the significance is √q0. The expected significance is that of the Asimov data set,
which has in every bin the number of events that is expected with the Higgs boson (G. Cowan, K. Cranmer,
E. Gross, O. Vitells, Eur. Phys. J. C 71 (2011) 1554). The signal strength's interval of 68% is where -2 ln λ
is below 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt
from typing import TYPE_CHECKING, Any

from higgsdemo.physics.workspace import NoFitError, workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from higgsdemo.catalogue import Catalogue
    from higgsdemo.physics.normalisation import Spectrum


class NoConvergenceError(RuntimeError):
    """A fit has not converged."""


@dataclass(frozen=True)
class Discovery:
    """Significances in standard deviations, and the signal strength in units of the expected one.

    What cannot be said is None, and `statement` says why.
    """

    observed_significance: float | None = None
    expected_significance: float | None = None
    signal_strength: float | None = None
    signal_strength_interval: tuple[float, float] | None = None
    """68%; the signal strength is taken to be 0 or more."""
    statement: str | None = None


def in_words(discovery: Discovery) -> list[str]:
    """The numbers there are, a line each; what is not known is said in the last."""
    lines = []
    if discovery.expected_significance is not None:
        seen = discovery.observed_significance
        observed = "" if seen is None else f"{seen:.1f}σ observed, "
        lines.append(f"Significance: {observed}{discovery.expected_significance:.1f}σ expected")
    if discovery.signal_strength is not None and discovery.signal_strength_interval is not None:
        mu, (low, high) = discovery.signal_strength, discovery.signal_strength_interval
        lines.append(f"Signal strength: {mu:.2f} +{high - mu:.2f} −{mu - low:.2f}")
    if discovery.statement:
        lines.append(f"No observed significance: {discovery.statement}")
    return lines


def discovery_in(spectrum: Spectrum, catalogue: Catalogue) -> tuple[Discovery, dict[str, Any] | None]:
    """What the spectrum says, and the workspace it was fitted with; None where there is nothing to fit."""
    try:
        fitted = workspace(spectrum, catalogue)
    except NoFitError as error:
        return Discovery(statement=str(error)), None
    try:
        return discover(fitted, spectrum.observed), fitted
    except NoConvergenceError as error:
        return Discovery(statement=str(error)), fitted


def discover(fitted: dict[str, Any], observed: bool = True) -> Discovery:
    """Fit a workspace; one without data (not `observed`) has an expected significance only.

    Some seconds of CPU. Raises NoConvergenceError.
    """
    import pyhf

    pyhf.set_backend("numpy")
    described = pyhf.Workspace(fitted)
    model = described.model()
    try:
        expected = _expected(model)
        if not observed:
            return Discovery(expected_significance=expected, statement="no event of data was analysed")
        return _observed(model, described.data(model), expected)
    except pyhf.exceptions.FailedMinimization as error:
        raise NoConvergenceError(f"the fit has not converged ({str(error).splitlines()[0]})") from None


def _expected(model: Any) -> float:
    """√q0 of the Asimov data set; what was put in (strength 1, nothing pulled) is its best fit."""
    from pyhf.infer import mle

    nominal = model.config.suggested_init()
    asimov = model.expected_data(nominal)
    _, without = mle.fixed_poi_fit(0.0, asimov, model, return_fitted_val=True)
    return _deviations(float(without) + 2.0 * float(model.logpdf(nominal, asimov)[0]))


def _observed(model: Any, data: Sequence[float], expected: float) -> Discovery:
    from pyhf.infer import mle

    best, least = mle.fit(data, model, return_fitted_val=True)
    strength = float(best[model.config.poi_index])

    def deviations(mu: float) -> float:
        """√(-2 ln λ(mu)), which is nearly linear in mu."""
        _, value = mle.fixed_poi_fit(mu, data, model, init_pars=list(best), return_fitted_val=True)
        return _deviations(float(value - least))

    without = deviations(0.0)
    upper = float(model.config.suggested_bounds()[model.config.poi_index][1])
    return Discovery(
        observed_significance=without,
        expected_significance=expected,
        signal_strength=strength,
        signal_strength_interval=(
            _crossing(deviations, strength, 0.0) if without > 1.0 else 0.0,
            _crossing(deviations, strength, upper),
        ),
    )


def _deviations(twice: float) -> float:
    """√(-2 ln λ); rounding below zero counts as zero. Raises NoConvergenceError when there is no number."""
    if not isfinite(twice):
        raise NoConvergenceError("the fit has not converged (fewer than no events are expected in a bin)")
    return sqrt(max(twice, 0.0))


def _crossing(deviations: Callable[[float], float], strength: float, end: float) -> float:
    """Where the signal strength is one standard deviation from the best one, towards `end`."""
    from scipy.optimize import brentq

    far = end
    if end > strength:
        far = min(strength + 1.0, end)
        while far < end and deviations(far) < 1.0:
            far = min(strength + 2.0 * (far - strength), end)
        if deviations(far) < 1.0:
            return end
    return float(brentq(lambda mu: deviations(mu) - 1.0, strength, far, xtol=1e-3 * max(strength, 1.0)))

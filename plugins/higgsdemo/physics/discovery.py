"""The significance of the excess over the backgrounds, and the signal strength in it.

The test statistic is that of a discovery, q0 = -2 ln λ(0) for an excess and 0 otherwise, with its asymptotic
distribution: the significance is √q0. The expected significance is that of the Asimov data set, which has in
every bin the events expected with the Higgs boson (G. Cowan, K. Cranmer, E. Gross, O. Vitells, Eur. Phys. J.
C 71 (2011) 1554). The signal strength's 68% interval is where -2 ln λ is below 1.

A minimizer can stop far from the minimum and report success. So Minuit starts from several points, and the
numbers count only if none of the fits has seen a lower point.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

from higgsdemo.catalogue import Catalogue
from higgsdemo.physics.normalisation import Spectrum
from higgsdemo.physics.workspace import NoFitError, workspace

_EXACT = 1e-4
"""Precision of -2 ln λ: at 3 standard deviations 1e-4 / (2 × 3) changes no digit that is shown."""

_SCANNED = (0.0, *(4.0**-n for n in range(8)))
"""Signal strengths that are tried first, in units of the highest: the best may be far below it."""


class NoConvergenceError(RuntimeError):
    """A fit has not converged; the message says why in one line."""


@dataclass(frozen=True)
class Discovery:
    """Significances in standard deviations, and the signal strength in units of the expected one.

    A number that cannot be given is None, and `statement` says why.
    """

    observed_significance: float | None = None
    expected_significance: float | None = None
    signal_strength: float | None = None
    signal_strength_interval: tuple[float, float] | None = None
    """68%; the signal strength is taken to be 0 or more."""
    statement: str | None = None


def in_words(discovery: Discovery) -> list[str]:
    """Return the known numbers, one per line; the last line says what is unknown."""
    lines = []
    if discovery.expected_significance is not None:
        seen = discovery.observed_significance
        observed = "" if seen is None else f"{seen:.1f}σ observed, "
        lines.append(f"Significance: {observed}{discovery.expected_significance:.1f}σ expected")
    if discovery.signal_strength is not None and discovery.signal_strength_interval is not None:
        mu, (low, high) = discovery.signal_strength, discovery.signal_strength_interval
        lines.append(f"Signal strength: {mu:.2f} +{high - mu:.2f} −{mu - low:.2f}")
    if discovery.statement:
        unknown = "observed significance" if discovery.observed_significance is None else "signal strength"
        lines.append(f"No {unknown}: {discovery.statement}")
    return lines


def discovery_in(spectrum: Spectrum, catalogue: Catalogue) -> tuple[Discovery, dict[str, Any] | None]:
    """Return the discovery in a spectrum, and the fitted workspace; None where there is nothing to fit."""
    try:
        fitted = workspace(spectrum, catalogue)
    except NoFitError as error:
        return Discovery(statement=str(error)), None
    try:
        return discover(fitted, spectrum.observed), fitted
    except NoConvergenceError as error:
        return Discovery(statement=str(error)), fitted


def discover(fitted: dict[str, Any], observed: bool = True) -> Discovery:
    """Fit a workspace; without data (not `observed`) it has only an expected significance.

    Takes some seconds of CPU.

    :raises NoConvergenceError: when the fit has not converged.
    """
    import pyhf

    described = pyhf.Workspace(fitted)
    model = described.model()
    asimov = Likelihood(model, model.expected_data(model.config.suggested_init()))
    expected = asimov.deviations(0.0)
    asimov.require_lowest()
    if not observed:
        return Discovery(expected_significance=expected, statement="no event of data was analysed")
    seen = Likelihood(model, described.data(model))
    significance, interval = seen.deviations(0.0), seen.interval()
    seen.require_lowest()
    if interval is None:
        why = f"the data are compatible with all up to {seen.highest:.3g}"
        return Discovery(significance, expected, statement=why)
    return Discovery(significance, expected, seen.strength, interval)


class Likelihood:
    """The likelihood of data in a model: its maximum, and how it falls with the signal strength.

    :raises NoConvergenceError: when no minimum of -2 ln L is found.
    """

    def __init__(self, model: Any, data: Sequence[float]) -> None:
        self._model, self._data = model, data
        self._poi: int = model.config.poi_index
        self.highest: float = model.config.suggested_bounds()[self._poi][1]
        self._lowest = inf
        self._deviations: dict[float, float] = {}
        nominal: list[float] = model.config.suggested_init()
        self._starts = [nominal]
        scanned = sorted(self._minimum(self.highest * part) for part in _SCANNED)
        self._starts = [nominal, scanned[0][1]]
        self._least, best = min(self._minimum(), scanned[0])
        self._starts = [nominal, best]
        self.strength = best[self._poi]

    def deviations(self, strength: float) -> float:
        """Return √(-2 ln λ) of a signal strength, nearly linear in it; rounding below zero counts as zero."""
        if strength not in self._deviations:  # each takes some fits
            self._deviations[strength] = sqrt(max(self._minimum(strength)[0] - self._least, 0.0))
        return self._deviations[strength]

    def interval(self) -> tuple[float, float] | None:
        """Return the strengths within one standard deviation of the best; None if the highest is one."""
        if self.deviations(self.highest) < 1.0:
            return None
        low = self._crossing(0.0) if self.deviations(0.0) > 1.0 else 0.0
        high = self._crossing(self.highest)
        for end in (low, high):
            self.deviations(0.9 * self.strength + 0.1 * end)  # would be lower if the best strength were there
        return low, high

    def require_lowest(self) -> None:
        """Raise NoConvergenceError if the fits have seen a point below what they took for the minimum."""
        if self._lowest < self._least - _EXACT:
            raise NoConvergenceError(
                f"the fit has not converged (it ends {self._least - self._lowest:.2g} above its lowest point)"
            )

    def _crossing(self, end: float) -> float:
        """Return the signal strength between the best one and `end` that is one standard deviation away."""
        from scipy.optimize import brentq

        if self.deviations(self.strength) > 1.0:
            raise NoConvergenceError("the fit has not converged (it does not find its minimum again)")
        return float(brentq(lambda mu: self.deviations(mu) - 1.0, self.strength, end, xtol=1e-9, rtol=1e-4))

    def _minimum(self, strength: float | None = None) -> tuple[float, list[float]]:
        """Return the least -2 ln L, of all signal strengths or of one, and where it is."""
        from iminuit import Minuit

        found = []
        for start in self._starts:
            fit = Minuit(self._value, start)
            fit.limits = self._model.config.suggested_bounds()
            fit.fixed = self._model.config.suggested_fixed()
            fit.strategy, fit.tol = 0, 1e-3
            if strength is not None:
                fit.values[self._poi], fit.fixed[self._poi] = strength, True
            if fit.migrad().valid:
                found.append((float(fit.fval), list(fit.values)))
        if not found:
            raise NoConvergenceError("the fit has not converged (no minimum of -2 ln L is found)")
        return min(found)

    def _value(self, parameters: Sequence[float]) -> float:
        """Return -2 ln L, and remember the lowest value."""
        value = -2.0 * float(self._model.logpdf(parameters, self._data)[0])
        self._lowest = min(self._lowest, value)
        return value

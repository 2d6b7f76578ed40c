"""Fits of a model to data: how the likelihood falls with the signal strength.

A minimizer can stop far from the minimum and report success. So Minuit starts from several points, and the
numbers count only if none of the fits has seen a lower point.
"""

from collections.abc import Sequence
from math import inf, isfinite, sqrt
from typing import Any

import numpy as np

from higgsdemo.physics.histfactory import Model, Numbers, Observation

_EXACT = 1e-4
"""Precision of -2 ln λ: at 3 standard deviations 1e-4 / (2 × 3) changes no digit that is shown."""

_SCAN = 36
"""Signal strengths of a scan, without the best and the ends of the interval."""

_TRIED = (0.0, *(4.0**-n for n in range(8)))
"""Signal strengths that are tried first, in units of the highest: the best may be far below it."""


class NoConvergenceError(RuntimeError):
    """A fit has not converged; the message says why in one line."""


class Likelihood:
    """The likelihood of data in a model: its maximum, and how it falls with the signal strength.

    :raises NoConvergenceError: when no minimum of -2 ln L is found.
    """

    def __init__(self, model: Model, seen: Observation) -> None:
        self._model, self._seen = model, seen
        self.highest: float = model.limits[0][1]
        self._lowest = inf
        self._deviations: dict[float, float] = {}
        nominal = [0.0] * len(model.causes)
        tried = sorted((self._value([self.highest * part, *nominal]), part) for part in _TRIED)
        self._starts = [[1.0, *nominal], [self.highest * tried[0][1], *nominal]]
        self._least, best = self._minimum()
        self._starts = [best]
        self.strength = best[0]

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

    def scan(self, interval: tuple[float, float]) -> tuple[tuple[float, float], ...]:
        """Return strengths to about three standard deviations above the best, and -2 ln λ of each."""
        low, high = interval
        end = min(self.strength + 3 * (high - self.strength), self.highest)
        strengths = {*np.linspace(0.0, end, _SCAN).tolist(), low, self.strength, high}
        return tuple((strength, self.deviations(strength) ** 2) for strength in sorted(strengths))

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
            fit = Minuit(self._value, start, grad=self._gradient, g2=self._curvatures)
            fit.limits, fit.errors = self._model.limits, [0.1, *[1.0] * len(self._model.causes)]
            fit.strategy, fit.tol = 0, 1e-4
            if strength is not None:
                fit.values[0], fit.fixed[0] = strength, True
            if _converged(fit) and isfinite(least := self._value(fit.values)):
                found.append((least, list(fit.values)))
        if not found:
            raise NoConvergenceError("the fit has not converged (no minimum of -2 ln L is found)")
        return min(found)

    def _value(self, parameters: Sequence[float]) -> float:
        """Return -2 ln L, and remember the lowest."""
        value = self._model.value(parameters, self._seen)
        self._lowest = min(self._lowest, value)
        return value

    def _gradient(self, parameters: Sequence[float]) -> Numbers:
        return self._model.gradient(parameters, self._seen)

    def _curvatures(self, parameters: Sequence[float]) -> Numbers:
        return self._model.curvatures(parameters, self._seen)


def _converged(fit: Any) -> bool:
    """Minimize, and return whether this is a minimum: of one with a kink Minuit doubts it."""
    if all(fit.fixed) or fit.migrad().valid:
        return True
    least: float = fit.fval
    return bool(fit.simplex().fval > least - _EXACT)

"""The likelihood of a HistFactory model, as `workspace` writes it, with its gradient.

It is pyhf's, which knows no gradient without a library such as JAX; with one, a fit takes a tenth of the
time. The parameters are the signal strength, and of each cause its deviation in standard deviations. Beyond
one of them numbers of events grow exponentially with it (`normsys`) and histograms linearly (`histosys`);
between are the polynomials that continue this smoothly (pyhf's `code4` and `code4p`).

The statistical factors of bins are no parameters: for given ones the best are known. Where s + g b events are
expected, n seen, and the factor g is measured as a ± d, it is the solution of n b / (s + g b) - b =
(g - a) / d², a quadratic equation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

_FEWEST = 1e-6
"""Events of a bin below which their logarithm goes on as a straight line: far from where they are measured,
shapes may make them negative.
"""

_FACTORS, _DEVIATIONS, _STRENGTHS = (1e-10, 10.0), (-5.0, 5.0), (0.0, 10.0)
"""Where pyhf keeps the statistical factors of bins, deviations of causes, and a strength without limits."""


@dataclass(frozen=True)
class Observation:
    """The events seen in the bins of all channels; what causes and statistical factors are measured as."""

    events: Numbers
    causes: Numbers
    factors: Numbers


class Model:
    """The events that a workspace expects, in rows of one sample in one channel.

    `limits` are those of the parameters, the signal strength and the `causes`; `observed` are its own data.
    """

    def __init__(self, workspace: dict[str, Any]) -> None:
        data = {one["name"]: one["data"] for one in workspace["observations"]}
        channels = workspace["channels"]
        ends = np.cumsum([0, *(len(data[channel["name"]]) for channel in channels)])
        rows = [
            (slice(ends[n], ends[n + 1]), sample["data"], sample["modifiers"])
            for n, channel in enumerate(channels)
            for sample in channel["samples"]
        ]
        varied = {m["name"]: None for *_, ms in rows for m in ms if m["type"] in ("normsys", "histosys")}
        self.causes = list(varied)
        known = {one["name"]: one for one in workspace["measurements"][0]["config"]["parameters"]}
        strength = known.get(workspace["measurements"][0]["config"]["poi"], {"bounds": [_STRENGTHS]})
        self.limits = [tuple(strength["bounds"][0]), *[_DEVIATIONS] * len(varied)]
        shape = len(rows), int(ends[-1])
        self._nominal, variance = np.zeros(shape), np.zeros(shape[1])
        self._signal, self._scaled = np.zeros(shape[0], bool), np.zeros((shape[0], 1), bool)
        self._logarithms = np.zeros((2, shape[0], len(varied)))
        self._shifts: dict[int, Numbers] = {}
        for row, (bins, events, modifiers) in enumerate(rows):
            self._nominal[row, bins] = events
            for kind, name, by in ((m["type"], m["name"], m["data"]) for m in modifiers):
                if kind == "normfactor":
                    self._signal[row] = True
                elif kind == "staterror":
                    self._scaled[row] = True
                    variance[bins] += np.square(by)
                elif kind == "normsys":
                    self._logarithms[:, row, self.causes.index(name)] = np.log([by["hi"], by["lo"]])
                else:
                    shift = self._shifts.setdefault(self.causes.index(name), np.zeros((2, *shape)))
                    shift[:, row, bins] = np.subtract([by["hi_data"], by["lo_data"]], events)
        self._polynomials = _polynomials(self._logarithms)
        background = np.sum(self._nominal, axis=0, where=self._scaled)
        self._errors = np.divide(np.sqrt(variance), background, np.zeros(shape[1]), where=background > 0)
        seen = np.concatenate([data[channel["name"]] for channel in channels], dtype=float)
        self.observed = Observation(seen, np.zeros(len(varied)), np.ones(shape[1]))

    def expected(self, strength: float) -> Observation:
        """Return the Asimov data set of a signal strength: all that is measured is as expected."""
        strengths = np.where(self._signal, strength, 1.0)
        return replace(self.observed, events=strengths @ self._nominal)

    def draw(self, strength: float, random: np.random.Generator) -> Observation:
        """Return a pseudo-experiment of a signal strength."""
        events = random.poisson(self.expected(strength).events).astype(float)
        causes = random.normal(self.observed.causes)
        return Observation(events, causes, random.normal(self.observed.factors, self._errors))

    def value(self, parameters: Sequence[float], seen: Observation) -> float:
        """Return -2 ln L with the best factors of bins, up to a constant; NaN where it has none."""
        given = np.asarray(parameters)
        strengths, scales, shapes = self._rows(given)
        events, factors, _ = self._bins((strengths * scales)[:, None] * shapes, seen)
        if np.min(seen.events) < 0:
            return float("nan")
        known = np.maximum(events, _FEWEST)
        logarithms = np.log(known) + (events - known) / known
        pulls = np.divide(factors - seen.factors, self._errors, np.zeros_like(events), where=self._errors > 0)
        constraints = np.sum((given[1:] - seen.causes) ** 2) + np.sum(pulls**2)
        return float(2 * np.sum(events - seen.events * logarithms) + constraints)

    def gradient(self, parameters: Sequence[float], seen: Observation) -> Numbers:
        """Return the derivatives of the value; those by the best factors of bins are zero."""
        given = np.asarray(parameters)
        strengths, scales, shapes = self._rows(given)
        _, factors, slopes_of_bins = self._bins((strengths * scales)[:, None] * shapes, seen)
        slopes = slopes_of_bins * np.where(self._scaled, factors, 1.0)
        by_row = np.sum(slopes * shapes, axis=1) * scales
        by_cause = (strengths * by_row) @ self._scales(given[1:])[1]
        _, ramps = _ramps(given[1:])
        for cause, (up, down) in self._shifts.items():
            moved = np.sum(slopes * (ramps[cause] * up + (ramps[cause] - 1) * down), axis=1)
            by_cause[cause] += (strengths * scales) @ moved
        return np.array([by_row[self._signal].sum(), *(by_cause + 2 * (given[1:] - seen.causes))])

    def curvatures(self, parameters: Sequence[float], seen: Observation) -> Numbers:
        """Return about the second derivatives, for a minimizer's first step; of causes their own terms."""
        strengths, scales, shapes = self._rows(np.asarray(parameters))
        events, *_ = self._bins((strengths * scales)[:, None] * shapes, seen)
        signal = scales[self._signal] @ shapes[self._signal]
        of_strength = 2 * np.sum(signal**2 / np.maximum(events, _FEWEST))
        return np.array([of_strength, *np.full(len(self.causes), 2.0)])

    def _rows(self, given: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Return of each row the signal strength, or 1, the factor of all events, and the events by bin."""
        ramps, _ = _ramps(given[1:])
        shapes = self._nominal.copy()
        for cause, (up, down) in self._shifts.items():
            shapes += ramps[cause] * up + (ramps[cause] - given[1 + cause]) * down
        scales = np.prod(self._scales(given[1:])[0], axis=1)
        return np.where(self._signal, given[0], 1.0), scales, shapes

    def _scales(self, causes: Numbers) -> tuple[Numbers, Numbers]:
        """Return by row and cause the factor of all events, and the derivative of its logarithm."""
        powers = causes ** np.arange(7)[:, None]
        inside = 1 + np.einsum("nrk,nk->rk", self._polynomials, powers[1:])
        slopes = np.einsum("nrk,nk->rk", self._polynomials, np.arange(1, 7)[:, None] * powers[:6]) / inside
        outside = np.where(causes > 0, self._logarithms[0], -self._logarithms[1])
        near = np.abs(causes) < 1
        return np.where(near, inside, np.exp(outside * causes)), np.where(near, slopes, outside)

    def _bins(self, rows: Numbers, seen: Observation) -> tuple[Numbers, Numbers, Numbers]:
        """Return the events of bins, their best statistical factors, and the derivative of -2 ln L by events.

        Of a bin without events -2 ln L is linear in the factor, until none are expected.
        """
        background = np.sum(rows, axis=0, where=self._scaled)
        fixed, variance = rows.sum(axis=0) - background, self._errors**2
        linear = background**2 * variance + fixed - seen.factors * background
        constant = (fixed - seen.events) * background * variance - seen.factors * fixed
        root = np.abs(linear) + np.sqrt(np.maximum(linear**2 - 4 * background * constant, 0.0))
        empty, free = seen.events == 0, self._errors > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            best = np.where(linear > 0, -2 * constant / np.maximum(root, 1e-300), root / (2 * background))
            least, none = seen.factors - background * variance, -fixed / background
            best = np.where(empty, np.clip(none, least, seen.factors), best)
            factors = np.where(free, np.clip(best, *_FACTORS), 1.0)
            events = fixed + factors * background
            slopes = 2 * (1 - seen.events / np.maximum(events, _FEWEST))
            at_none = 2 * (seen.factors - factors) / (variance * background)
            of_empty = np.where(free & (factors == none), at_none, 2.0 * (events > 0))
        return np.where(empty, np.maximum(events, 0.0), events), factors, np.where(empty, of_empty, slopes)


def _polynomials(logarithms: Numbers) -> Numbers:
    """Return the coefficients of the powers 1 to 6, for given logarithms of factors at +1 and -1.

    There value, slope and curvature of the polynomial are those of the exponential functions.
    """
    power, sign = np.arange(1, 7), (-1.0) ** np.arange(1, 7)
    ends = [power**0, sign, power, -sign * power, power * (power - 1), sign * power * (power - 1)]
    (up, down), (high, low) = logarithms, np.exp(logarithms)
    wanted = np.stack([high - 1, low - 1, high * up, -low * down, high * up**2, low * down**2])
    return np.linalg.solve(np.array(ends, float), wanted.reshape(6, -1)).reshape(wanted.shape)


def _ramps(causes: Numbers) -> tuple[Numbers, Numbers]:
    """Return the smooth part of deviations that is above zero, and its slope."""
    square, near = causes**2, np.abs(causes) < 1
    inside = causes / 2 + square * (15 + square * (3 * square - 10)) / 16
    slope = 0.5 + causes * (15 + square * (9 * square - 20)) / 8
    return np.where(near, inside, np.maximum(causes, 0.0)), np.where(near, slope, causes > 0)

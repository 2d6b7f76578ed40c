"""Events by group and channel: the histograms of their masses, and their numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from math import fsum, hypot, sqrt
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

from higgsdemo.results.document import BINS, CHANNELS, HIGH, LOW

GROUPS = ("data", "higgs", "zz", "dy", "ttbar")
WINDOW = (121.0, 130.0)
"""The signal window in GeV; its edges are bin edges."""

Histogram = hist.Hist[hist.storage.Weight]
Groups = dict[str, dict[str, Histogram]]
"""Events by group and channel, with the sums of squared weights as variances.

Without a processed event there is no histogram: not to look is not to find nothing.
"""


@dataclass(frozen=True)
class Yield:
    """Events, with their statistical standard deviation, in 70 to 181 GeV and in the signal window."""

    total: float
    total_error: float
    window: float
    window_error: float

    @classmethod
    def sum(cls, parts: Iterable[Yield]) -> Yield:
        """Add independent yields: errors add in quadrature."""
        total, total_error, window, window_error = zip(*map(astuple, parts), strict=True)
        return cls(fsum(total), hypot(*total_error), fsum(window), hypot(*window_error))


Yields = dict[str, dict[str, Yield]]
"""Yields by group and channel, of what was processed; channel `all` is their sum."""


def add_groups(parts: Iterable[Groups]) -> Groups:
    """Add up events by group and channel, in the order of both."""
    found: dict[str, dict[str, list[Histogram]]] = defaultdict(lambda: defaultdict(list))
    for groups in parts:
        for group, channels in groups.items():
            for channel, histogram in channels.items():
                found[group][channel].append(histogram)
    return {
        group: {
            channel: add_histograms(found[group][channel]) for channel in CHANNELS if channel in found[group]
        }
        for group in GROUPS
        if group in found
    }


def add_histograms(histograms: Iterable[Histogram]) -> Histogram:
    """Add up histograms; without any, the sum is empty."""
    return sum(histograms, make_histogram(np.zeros(BINS), np.zeros(BINS)))


def make_histogram(values: NDArray[Any], variances: NDArray[Any]) -> Histogram:
    """Return a histogram of the contents of its bins."""
    edges = np.linspace(LOW, HIGH, BINS + 1)  # exact, unlike those of a regular axis
    axis = hist.axis.Variable(edges, name="mass", label="Four-lepton mass [GeV]")
    return hist.Hist(axis, storage=hist.storage.Weight(), data=np.stack([values, variances], axis=-1))


def yields_of(groups: Groups) -> Yields:
    """Return the yields of groups by channel, and of all channels together."""
    return {
        group: {
            channel: _yield(h)
            for channel, h in {**channels, "all": add_histograms(channels.values())}.items()
        }
        for group, channels in groups.items()
    }


def _yield(histogram: Histogram) -> Yield:
    low, high = (histogram.axes[0].index(edge) for edge in WINDOW)
    values, variances = np.asarray(histogram.values()), np.asarray(histogram.variances())
    return Yield(
        total=fsum(values),
        total_error=sqrt(fsum(variances)),
        window=fsum(values[low:high]),
        window_error=sqrt(fsum(variances[low:high])),
    )

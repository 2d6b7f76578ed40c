"""What the expected events are known to: their statistics, the luminosity, and the catalogue's uncertainties.

The statistical one is that of the simulated events. A bin in which a sample has no event is not known to be
empty: it has the upper end of the 68% interval of no event as its standard deviation. Bins keep their width
for that, and none are merged, since the width of a peak tells signal from background.
"""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from higgsdemo.catalogue import Catalogue, Uncertainty
from higgsdemo.physics.normalisation import Spectrum
from higgsdemo.physics.yields import GROUPS
from higgsdemo.results.document import BINS, CHANNELS, HIGH, LOW

SIMULATED = tuple(group for group in GROUPS if group != "data")
EDGES = np.linspace(LOW, HIGH, BINS + 1)
Events = NDArray[np.float64]
"""In each of the bins."""


def uncertainties(catalogue: Catalogue, year: int, group: str, channel: str) -> list[Uncertainty]:
    """Return those of a simulated group's events of a year in a channel."""
    found = [one for one in catalogue.uncertainties if one.varies(group, year, channel)]
    if part := catalogue.luminosity_uncertainty.get(year):
        luminosity = {"name": f"luminosity_{year}", "source": "catalogue.json", "kind": "events"}
        applies = {"samples": (group,), "channels": CHANNELS, "up": 1.0 + part, "down": 1.0 - part}
        found.append(Uncertainty.model_validate(luminosity | applies))
    return found


def vary(one: Uncertainty, events: Events) -> tuple[Events, Events]:
    """Return events with the cause one standard deviation up, and down."""
    if one.kind == "mass":
        return move(events, one.up), move(events, one.down)
    return one.up * events, one.down * events


def move(events: Events, factor: float) -> Events:
    """Return events whose masses are `factor` times as high, spread evenly over each bin before."""
    below = np.concatenate([[0.0], np.cumsum(events)])
    return np.diff(np.interp(EDGES / factor, EDGES, below))


def statistical_variance(spectrum: Spectrum, year: int, group: str, channel: str) -> Events:
    """Return the variance of a simulated group's events of a year in a channel, empty bins included."""
    seen = np.asarray(spectrum.years[year][group][channel].variances())
    return seen + spectrum.unseen[year][group][channel]


def deviation(spectrum: Spectrum, catalogue: Catalogue, channels: Iterable[str] = CHANNELS) -> Events:
    """Return the standard deviation of all expected events in some channels, each cause apart."""
    variance, causes = _deviations(spectrum, catalogue, channels, SIMULATED)
    return np.sqrt(variance + sum(cause**2 for cause in causes))


def sum_deviation(
    spectrum: Spectrum, catalogue: Catalogue, channels: Iterable[str], groups: Iterable[str], bins: slice
) -> float:
    """Return the standard deviation of the sum of some groups' events in some bins: causes are the same."""
    variance, causes = _deviations(spectrum, catalogue, channels, groups)
    return float(np.sqrt(variance[bins].sum() + sum(cause[bins].sum() ** 2 for cause in causes)))


def _deviations(
    spectrum: Spectrum, catalogue: Catalogue, channels: Iterable[str], groups: Iterable[str]
) -> tuple[Events, Iterable[Events]]:
    """Return the statistical variance of events by bin, and the deviation by each cause."""
    variance, causes = np.zeros(BINS), defaultdict[str, Events](lambda: np.zeros(BINS))
    for year, found in spectrum.years.items():
        for group in found.keys() & set(groups):
            for channel in found[group].keys() & set(channels):
                variance += statistical_variance(spectrum, year, group, channel)
                events = np.asarray(found[group][channel].values())
                for one in uncertainties(catalogue, year, group, channel):
                    up, down = vary(one, events)
                    causes[one.name] += (up - down) / 2
    return variance, causes.values()

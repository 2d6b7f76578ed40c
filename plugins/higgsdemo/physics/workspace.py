"""The spectrum as a HistFactory model in pyhf's JSON format, which the field's fitting tools read.

It has a channel for each lepton channel. The expected events are those of the stack's groups by year; the
fitted signal strength scales the Higgs boson's. (Channels by year would double the parameters and take three
times as long to fit, for an expected significance 0.2% higher.) Uncertain are

- the simulated events, of which there are finitely many: one factor per bin for all backgrounds together
    (`staterror`; R. Barlow, C. Beeston, Comput. Phys. Commun. 77 (1993) 219, in the form of J. Conway,
    arXiv:1103.0354), and one factor for the signal (`normsys`);
- the luminosity of each year, and what the catalogue names in `uncertainties.csv`: numbers of events
    (`normsys`) and masses (`histosys`).

The fit uses the bins from 109 to 160 GeV, nearest to the 110 to 160 GeV of the discovery's own fit of this
spectrum (CMS, Phys. Lett. B 716 (2012) 30).
"""

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from higgsdemo.catalogue import Catalogue, Uncertainty
from higgsdemo.physics.normalisation import Spectrum
from higgsdemo.physics.uncertainties import (
    EDGES,
    SIMULATED,
    Events,
    statistical_variance,
    uncertainties,
    vary,
)
from higgsdemo.results.document import BINS, CHANNELS

FIT_RANGE = (109.0, 160.0)
"""The fitted masses in GeV, at edges of bins."""

SIGNAL_STRENGTH = "signal_strength"
"""The parameter of interest: the Higgs boson's events, in units of those expected."""

SIGNAL = "higgs"
Covered = dict[str, list[int]]
"""By channel, the years whose data cover any luminosity."""

_FITTED = slice(*(int(np.searchsorted(EDGES, edge)) for edge in FIT_RANGE))


class NoFitError(ValueError):
    """No signal can be fitted to this spectrum; the message says why in one line."""


def workspace(spectrum: Spectrum, catalogue: Catalogue) -> dict[str, Any]:
    """Return the workspace of what the merged data cover, without channels that expect nothing.

    :raises NoFitError: when there is nothing to fit, or the expectation is incomplete.
    """
    covered: Covered = {channel: [] for channel in CHANNELS}
    for exposure in spectrum.exposures:
        if exposure.covered_pb > 0:
            covered[exposure.channel].append(exposure.year)
    if not any(covered.values()):
        raise NoFitError("no luminosity is covered: no shard of data that states its own has been analysed")
    _require_samples(covered, spectrum, catalogue)
    _require_background(covered, spectrum)
    fitted = {
        channel: years
        for channel, years in covered.items()
        if any(_events(spectrum, years, channel, group).any() for group in SIMULATED)
    }
    return {
        "version": "1.0.0",
        "channels": [
            {"name": channel, "samples": _samples(channel, years, spectrum, catalogue)}
            for channel, years in fitted.items()
        ],
        "observations": [
            {"name": channel, "data": _events(spectrum, years, channel, "data").tolist()}
            for channel, years in fitted.items()
        ],
        "measurements": [{"name": "higgs", "config": _measurement(fitted, spectrum)}],
    }


def _measurement(covered: Covered, spectrum: Spectrum) -> dict[str, Any]:
    """Return the parameter of interest and its range: wide enough for all events to be signal twice over.

    The fit begins at the expected signal, a strength of 1, which must be in the range.
    """
    signal = sum(_events(spectrum, years, channel, SIGNAL).sum() for channel, years in covered.items())
    if not signal > 0:
        raise NoFitError("no event of a simulated Higgs boson is selected: there is no signal to fit")
    data = sum(_events(spectrum, years, channel, "data").sum() for channel, years in covered.items())
    bounds = [0.0, max(2.0 * (float(data) + 10.0) / float(signal), 2.0)]
    return {"poi": SIGNAL_STRENGTH, "parameters": [{"name": SIGNAL_STRENGTH, "bounds": [bounds]}]}


def _samples(
    channel: str, years: list[int], spectrum: Spectrum, catalogue: Catalogue
) -> list[dict[str, Any]]:
    """Return the simulated groups of a channel, by year, each with its uncertainties."""
    samples = []
    for year, group in product(years, SIMULATED):
        if channel not in spectrum.years[year].get(group, {}):
            continue
        events = np.asarray(spectrum.years[year][group][channel].values())
        modifiers = [_statistics(year, group, channel, spectrum)]
        modifiers += [_modifier(one, events) for one in uncertainties(catalogue, year, group, channel)]
        if group == SIGNAL:
            modifiers.append({"name": SIGNAL_STRENGTH, "type": "normfactor", "data": None})
        samples.append({"name": f"{group}_{year}", "data": events[_FITTED].tolist(), "modifiers": modifiers})
    return samples


def _statistics(year: int, group: str, channel: str, spectrum: Spectrum) -> dict[str, Any]:
    """Return the modifier for the finite number of simulated events."""
    if group == SIGNAL:
        histogram = spectrum.years[year][group][channel]
        events, variance = histogram.values()[_FITTED].sum(), histogram.variances()[_FITTED].sum()
        factor = 1.0 + float(np.sqrt(variance) / events if events > 0 else 0.0)
        return {"name": f"statistics_{SIGNAL}", "type": "normsys", "data": {"hi": factor, "lo": 1 / factor}}
    error = np.sqrt(statistical_variance(spectrum, year, group, channel))[_FITTED]
    return {"name": f"statistics_{channel}", "type": "staterror", "data": error.tolist()}


def _modifier(one: Uncertainty, events: Events) -> dict[str, Any]:
    if one.kind == "events":
        return {"name": one.name, "type": "normsys", "data": {"hi": one.up, "lo": one.down}}
    up, down = (ends[_FITTED].tolist() for ends in vary(one, events))
    return {"name": one.name, "type": "histosys", "data": {"hi_data": up, "lo_data": down}}


def _require_samples(covered: Covered, spectrum: Spectrum, catalogue: Catalogue) -> None:
    absent = sorted(
        name
        for name, sample in catalogue.samples.items()
        if sample.datatype == "mc"
        and name not in spectrum.weights
        and any(sample.year in covered.get(channel, ()) for channel in sample.channels)
    )
    if absent:
        raise NoFitError(f"the expectation is not complete: no event of {', '.join(absent)} was processed")


def _require_background(covered: Covered, spectrum: Spectrum) -> None:
    """Refuse bins in which a signal would be infinitely significant for want of simulated background."""
    bare = []
    for channel, years in covered.items():
        background = sum(_events(spectrum, years, channel, group) for group in SIMULATED if group != SIGNAL)
        filled = _events(spectrum, years, channel, "data") + _events(spectrum, years, channel, SIGNAL)
        low = EDGES[:-1][_FITTED][(filled > 0) & (background <= 0)]
        bare += [f"{channel} at {edge:g} GeV" for edge in low]
    if bare:
        more = f" and {len(bare) - 3} more" if len(bare) > 3 else ""
        raise NoFitError(
            f"too few simulated events: no background is expected in bins that hold data or signal "
            f"({', '.join(bare[:3])}{more})"
        )


def _events(spectrum: Spectrum, years: list[int], channel: str, group: str) -> NDArray[np.float64]:
    """Return the events of a group in the fitted bins of a channel."""
    channels = (spectrum.years[year].get(group, {}) for year in years)
    histograms = (of_group[channel] for of_group in channels if channel in of_group)
    return sum((np.asarray(h.values())[_FITTED] for h in histograms), np.zeros(BINS)[_FITTED])

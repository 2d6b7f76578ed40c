"""The numbers of the plots, for charts that are drawn elsewhere: the page, a notebook.

`spectrum.json` in a run's folder is this document, so that the plot of a past run can be shown without its
thousands of results.
"""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.catalogue import Catalogue
from higgsdemo.physics.exposure import luminosity_text, tell_beyond
from higgsdemo.physics.normalisation import Spectrum
from higgsdemo.physics.poisson import poisson_interval
from higgsdemo.physics.spectra import OwnSpectra
from higgsdemo.physics.uncertainties import deviation
from higgsdemo.physics.yields import GROUPS, WINDOW
from higgsdemo.publication.rounding import round_all
from higgsdemo.results.candidates import CandidateTable
from higgsdemo.results.document import BINS, CHANNELS, HIGH, LOW

STACK = GROUPS[:0:-1]
"""The simulated groups from the bottom of the stack up."""


def chart(
    spectrum: Spectrum, catalogue: Catalogue, candidates: CandidateTable | None = None
) -> dict[str, Any]:
    """Return the plot as JSON values: the data with 68% intervals, and the stack, by channel and for `all`.

    Events are weighted to the covered luminosity; `error` is the standard deviation of the stack's height.
    `yields` has the groups and channels with processed events: zero there is a finding, elsewhere nobody
    looked.
    """
    return {
        "title": catalogue.title,
        "note": catalogue.note,
        "luminosity": luminosity_text(spectrum.exposures).replace("$^{-1}$", "⁻¹"),
        "low": LOW,
        "high": HIGH,
        "bins": BINS,
        "window": list(WINDOW),
        "channels": {
            "all": _channel(spectrum, catalogue, *CHANNELS),
            **{channel: _channel(spectrum, catalogue, channel) for channel in CHANNELS},
        },
        "yields": {
            group: {channel: asdict(value) for channel, value in by_channel.items()}
            for group, by_channel in spectrum.yields().items()
        },
        "unassigned": {
            dataset: {channel: round_all(h.values()) for channel, h in by_channel.items()}
            for dataset, by_channel in spectrum.unassigned.items()
        },
        "coverage": spectrum.coverage,
        "absent": list(spectrum.absent),
        "beyond": "; ".join(tell_beyond(spectrum.exposures)),
        "certified": spectrum.certified,
        "differing": spectrum.differing,
        "candidates": asdict(candidates) if candidates else None,
    }


def _channel(spectrum: Spectrum, catalogue: Catalogue, *channels: str) -> dict[str, Any]:
    data = spectrum.combined("data", channels)
    return {
        "data": with_intervals(data.values(), data.variances()),
        "stack": {group: round_all(spectrum.combined(group, channels).values()) for group in STACK},
        "error": round_all(deviation(spectrum, catalogue, channels)),
    }


def own_chart(spectra: OwnSpectra, catalogue: Catalogue) -> dict[str, Any]:
    """Return the histograms as JSON values, in the form of `chart`: each is a channel with its own axis."""
    return {
        "title": catalogue.title,
        "note": catalogue.note,
        "luminosity": "",
        "channels": {histogram.name: _histogram(histogram, spectra) for histogram in spectra.histograms},
        "coverage": spectra.coverage,
        "absent": [],
        "certified": spectra.certified,
    }


def _histogram(histogram: HistogramSpec, spectra: OwnSpectra) -> dict[str, Any]:
    return {
        "label": histogram.axis,
        "low": histogram.low,
        "high": histogram.high,
        "bins": histogram.bins,
        "data": with_intervals(*spectra.total(histogram)),
        "stack": {},
        "error": [0] * histogram.bins,
    }


def with_intervals(contents: NDArray[Any], squares: NDArray[Any]) -> dict[str, list[float]]:
    """Return the contents of bins with intervals of 68%."""
    low, high = intervals(contents, squares)
    return {"counts": contents.tolist(), "low": round_all(low), "high": round_all(high)}


def intervals(contents: NDArray[Any], squares: NDArray[Any]) -> NDArray[Any]:
    """Return the ends of 68% intervals: Poisson (Garwood) of counts, else a standard deviation of weights."""
    if np.array_equal(contents, squares):
        return poisson_interval(contents)
    return contents + np.outer([-1, 1], np.sqrt(squares))

"""The numbers of the four-lepton mass plot, for charts that are drawn elsewhere: the page, a notebook.

`spectrum.json` in a run's folder is this document, so that the plot of a past run can be shown without its
thousands of results.
"""

from __future__ import annotations

from dataclasses import asdict
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from hist.intervals import poisson_interval

from higgsdemo.physics.normalisation import GROUPS, WINDOW, Spectrum
from higgsdemo.publication.plot import BACKGROUNDS, luminosity_text
from higgsdemo.results.document import BINS, CHANNELS, HIGH, LOW

if TYPE_CHECKING:
    from higgsdemo.catalogue import Catalogue
    from higgsdemo.physics.normalisation import Histogram

CHART = "spectrum.json"
STACK = (*BACKGROUNDS, "higgs")
"""The simulated groups from the bottom of the stack up."""


def chart(spectrum: Spectrum, catalogue: Catalogue) -> dict[str, Any]:
    """The plot as JSON values: by channel (`all` is their sum) the data with 68% intervals, and the stack.

    Events are weighted to the covered luminosity; `error` is the standard deviation of the stack's height.
    """
    channels = {
        channel: _channel({group: spectrum.groups[group][channel] for group in GROUPS})
        for channel in CHANNELS
    }
    return {
        "title": catalogue.title,
        "note": catalogue.note,
        "luminosity": luminosity_text(spectrum.exposures).replace("$^{-1}$", "⁻¹"),
        "low": LOW,
        "high": HIGH,
        "bins": BINS,
        "window": list(WINDOW),
        "channels": {"all": _channel({g: spectrum.combined(g) for g in GROUPS}), **channels},
        "yields": {
            group: {channel: asdict(value) for channel, value in by_channel.items()}
            for group, by_channel in spectrum.yields().items()
        },
        "unassigned": {
            dataset: {channel: _numbers(h.values()) for channel, h in by_channel.items()}
            for dataset, by_channel in spectrum.unassigned.items()
        },
        "coverage": spectrum.coverage,
        "absent": list(spectrum.absent),
    }


def _channel(groups: dict[str, Histogram]) -> dict[str, Any]:
    counts = np.asarray(groups["data"].values())
    low, high = poisson_interval(counts)
    variances = sum((np.asarray(groups[group].variances()) for group in STACK), np.zeros(BINS))
    return {
        "data": {"counts": _numbers(counts), "low": _numbers(low), "high": _numbers(high)},
        "stack": {group: _numbers(groups[group].values()) for group in STACK},
        "error": [round(sqrt(variance), 5) for variance in variances],
    }


def _numbers(values: Any) -> list[float]:
    return [round(float(value), 5) for value in np.nan_to_num(values)]

"""The plots of an analysis of one's own: one panel per histogram."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.physics.coverage import coverage_text
from higgsdemo.physics.spectra import OwnSpectra
from higgsdemo.publication.chart import intervals
from higgsdemo.publication.lettering import NOTE_COLOUR, style

FILL, LINE = "#99ccff", "#1f4e79"


def draw_own(spectra: OwnSpectra, title: str, note: str | None) -> Figure:
    """Draw one panel per histogram, 10 by 7 inches each, without rendering it."""
    with style():
        figure = Figure(figsize=(10, 7 * len(spectra.histograms)), layout="constrained")
        panels = figure.subplots(len(spectra.histograms), squeeze=False)[:, 0]
        for axes, histogram in zip(panels, spectra.histograms, strict=True):
            _draw_panel(axes, histogram, spectra)
        panels[0].set_title(title or "", loc="left", size=21, weight="bold", parse_math=False)
        if lines := [line for line in (note, coverage_text(spectra)) if line]:
            panels[0].set_title("\n".join(lines), loc="right", size=15, color=NOTE_COLOUR, parse_math=False)
    return figure


def _draw_panel(axes: Axes, histogram: HistogramSpec, spectra: OwnSpectra) -> None:
    contents, squares = spectra.total(histogram)
    edges = np.linspace(histogram.low, histogram.high, histogram.bins + 1)
    axes.stairs(contents, edges, fill=True, color=FILL)
    axes.stairs(contents, edges, color=LINE, linewidth=1.5)
    centres, filled = (edges[:-1] + edges[1:]) / 2, squares > 0
    low, high = intervals(contents, squares)
    errors = np.stack([contents - low, high - contents])[:, filled]
    axes.errorbar(centres[filled], contents[filled], yerr=errors, fmt="none", ecolor=LINE, elinewidth=1)
    lowest, highest = (1.15 * float(end) for end in (low[filled].min(initial=0), high[filled].max(initial=0)))
    axes.set(xlim=(histogram.low, histogram.high), ylim=(lowest, highest if highest > lowest else 1))
    axes.set_xlabel(histogram.axis, parse_math=False)
    axes.set_ylabel(f"Entries / {(histogram.high - histogram.low) / histogram.bins:g}")

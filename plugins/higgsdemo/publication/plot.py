"""The four-lepton mass plot: data over the expected stack, as in the published figure.

Colours, order, labels and range follow the plot of the CMS example HiggsExample20112012 (CERN Open Data
record 5500); style and label are mplhep's, with its own fonts: the same on every machine, and offline.

The plot claims no more than its numbers: a catalogue's note (of simulated data, say) replaces "CMS Open
Data", and a partial campaign shows its own luminosity and its part of the shards. Below are the significance
of the Higgs boson and its strength, or why they are unknown.
"""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import mplhep
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from higgsdemo.catalogue import Catalogue, Published
from higgsdemo.physics.coverage import coverage_text
from higgsdemo.physics.discovery import Discovery, in_words
from higgsdemo.physics.normalisation import Spectrum
from higgsdemo.physics.poisson import poisson_interval
from higgsdemo.physics.uncertainties import EDGES, Events, deviation
from higgsdemo.physics.yields import Histogram
from higgsdemo.publication.lettering import LEFT, style, write_label, write_luminosity
from higgsdemo.results.document import BINS, CHANNELS, HIGH, LOW

BACKGROUNDS = {
    "ttbar": (r"$t\bar{t}$", "#b9b9bd"),
    "dy": (r"Z/$\gamma^{*}$ + X", "#669966"),
    "zz": (r"ZZ $\to$ 4$\ell$", "#99ccff"),
}
"""Label and colour of the filled part of the stack, from the bottom up."""

CHANNEL_LABELS = {"4mu": r"4$\mu$", "4e": "4e", "2e2mu": r"2e2$\mu$"}
HIGGS_LABEL, HIGGS_COLOUR = r"$m_{H}$ = 125 GeV", "#e8112d"
ERROR_LABEL = "Uncertainty"


def draw(
    spectrum: Spectrum,
    catalogue: Catalogue,
    discovery: Discovery | None = None,
    channels: Sequence[str] = CHANNELS,
    published: Published | None = None,
) -> Figure:
    """Draw the plot of some channels together, 10 by 12 inches, without rendering it.

    Below it are the pulls: what is seen beyond what is expected, in standard deviations of both.

    It does not use pyplot, which would keep the figure and ask for a display.

    :param published: points of others, drawn beside the data.
    """
    with style():
        figure = Figure(figsize=(10, 12))
        axes = figure.add_axes((0.12, 0.2425, 0.845, 0.696))
        panel = figure.add_axes((0.12, 0.0875, 0.845, 0.14), sharex=axes)
        shown = {group: spectrum.combined(group, channels) for group in ("data", *BACKGROUNDS, "higgs")}
        error = deviation(spectrum, catalogue, channels)
        highest = _draw_stack(axes, shown, error)
        if any(channel in spectrum.groups.get("data", {}) for channel in channels):
            highest = max(highest, _draw_data(axes, shown["data"], _data_label(catalogue)))
            _draw_pulls(panel, shown, error)
        if published is not None:
            highest = max(highest, _draw_published(axes, published))
        axes.tick_params(labelbottom=False)
        axes.set_xlabel("")
        panel.set(ylim=(-3.5, 3.5), yticks=(-2, 0, 2), ylabel="Pull", xlabel=r"$m_{4\ell}$ [GeV]")
        axes.set_ylabel(f"Events / {(HIGH - LOW) / BINS:g} GeV")
        _write_legend(axes, (_data_label(catalogue), *([published.label] if published else [])))
        free = min(_write_headline(axes, spectrum, catalogue, discovery, channels), 0.645)
        axes.set(xlim=(LOW, HIGH), ylim=(0, highest / free if highest else 1))
        write_luminosity(axes, [one for one in spectrum.exposures if one.channel in channels])
    return figure


def draw_channels(spectrum: Spectrum, catalogue: Catalogue) -> dict[str, Figure]:
    """Draw a plot of each channel in which anything was processed."""
    processed = {channel for group in spectrum.groups.values() for channel in group}
    return {one: draw(spectrum, catalogue, channels=(one,)) for one in CHANNELS if one in processed}


def _draw_stack(axes: Axes, shown: Mapping[str, Histogram], error: Events) -> float:
    """Draw the backgrounds filled, the Higgs boson on them as an open line; return the highest bin in events.

    Empty groups are not drawn: the legend names only what can be seen.
    """
    groups = {group: shown[group] for group in (*BACKGROUNDS, "higgs")}
    stack = {group: histogram for group, histogram in groups.items() if np.any(histogram.values())}
    if not stack:
        return 0.0
    edges = next(iter(stack.values())).axes[0].edges
    filled = {group: style for group, style in BACKGROUNDS.items() if group in stack}
    if filled:
        mplhep.histplot(
            [stack[group] for group in filled],
            ax=axes,
            stack=True,
            histtype="fill",
            color=[colour for _, colour in filled.values()],
            label=[label for label, _ in filled.values()],
            edgecolor="black",
            linewidth=1,
            zorder=2,
        )
    total = np.sum([histogram.values() for histogram in stack.values()], axis=0)
    # Under the filled backgrounds: the line shows only where it rises above them.
    if "higgs" in stack:
        axes.stairs(total, edges, color=HIGGS_COLOUR, linewidth=2.5, label=HIGGS_LABEL, zorder=1)
    band: dict[str, Any] = {"color": "none", "edgecolor": "#555555", "linewidth": 0, "hatch": "/////"}
    axes.stairs(total + error, edges, baseline=total - error, fill=True, label=ERROR_LABEL, zorder=3, **band)
    return float(np.max(total + error))


def _draw_data(axes: Axes, data: Histogram, label: str) -> float:
    """Draw points with Poisson (Garwood) intervals of 68%, of empty bins the bar; return the highest end."""
    counts, centres = np.asarray(data.values()), data.axes[0].centers
    low, high = poisson_interval(counts)
    filled = counts > 0
    if not filled.any():
        return 0.0
    bars: dict[str, Any] = {"color": "black", "zorder": 5}
    errors = np.stack([counts - low, high - counts])[:, filled]
    axes.errorbar(
        centres[filled], counts[filled], errors, fmt="o", markersize=7, elinewidth=1.5, label=label, **bars
    )
    axes.vlines(centres[~filled], 0, high[~filled], linewidth=1.5, **bars)
    return float(np.max(high[filled]))


def _draw_published(axes: Axes, published: Published) -> float:
    """Draw the events of others, in those of a bin of the plot, as rings around the data's points."""
    edges = np.array([(bin.low, bin.high) for bin in published.bins])
    events = np.array(published.counts) * (HIGH - LOW) / BINS / np.diff(edges)[:, 0]
    shown = (events > 0) & (edges[:, 0] >= LOW) & (edges[:, 1] <= HIGH)
    ring: dict[str, Any] = {"markersize": 13, "markerfacecolor": "none", "markeredgewidth": 2, "zorder": 4}
    axes.plot(edges.mean(axis=1)[shown], events[shown], "o", color="#3f90da", label=published.label, **ring)
    return float(np.max(events, where=shown, initial=0.0))


def _draw_pulls(panel: Axes, shown: Mapping[str, Histogram], error: Events) -> None:
    """Draw (seen - expected) / √(expected + error²), where anything is expected."""
    expected = np.sum([shown[group].values() for group in (*BACKGROUNDS, "higgs")], axis=0)
    spread = np.sqrt(np.maximum(expected, 0) + error**2)
    pulls = np.divide(shown["data"].values() - expected, spread, out=np.zeros(BINS), where=spread > 0)
    panel.stairs(pulls, EDGES, fill=True, color="#8c8c94")
    panel.axhline(0, color="black", linewidth=1)


def _data_label(catalogue: Catalogue) -> str:
    return "Pseudo-data" if catalogue.note else "Data"


def _write_legend(axes: Axes, points: Iterable[str]) -> None:
    """Write the legend from the data, and other points, down the stack."""
    handles, labels = axes.get_legend_handles_labels()
    known = dict(zip(labels, handles, strict=True))
    backgrounds = (label for label, _ in reversed(BACKGROUNDS.values()))
    order = (*points, HIGGS_LABEL, *backgrounds, ERROR_LABEL)
    drawn = {label: known[label] for label in order if label in known}
    if drawn:
        axes.legend(drawn.values(), drawn, loc="upper right", borderaxespad=0.7, labelspacing=0.35)


def _write_headline(
    axes: Axes,
    spectrum: Spectrum,
    catalogue: Catalogue,
    discovery: Discovery | None,
    channels: Sequence[str],
) -> float:
    """Write what the data are, what is missing of them, and what they say, in the upper left.

    :returns: the part of the axes' height that is free below.
    """
    place: dict[str, Any] = {"transform": axes.transAxes, "ha": "left", "va": "top", "parse_math": False}
    below = write_label(axes, catalogue)
    if len(channels) == 1:
        text = CHANNEL_LABELS[channels[0]]
        axes.text(LEFT, below, text, size=24, **place | {"parse_math": True})
        below -= 0.01 + 0.00195 * 24
    if missing := coverage_text(spectrum):
        missing = "\n".join(line for part in missing.splitlines() for line in textwrap.wrap(part, 32))
        axes.text(LEFT, below, missing, size=19, style="italic", **place)
        below -= 0.01 + 0.00195 * 19 * len(missing.splitlines())
    if discovery is not None:
        found = [line for words in in_words(discovery) for line in textwrap.wrap(words, 44, max_lines=3)]
        axes.text(LEFT, below, "\n".join(found), size=15, linespacing=1.3, **place)
        below -= 0.0375 * len(found)
    return below

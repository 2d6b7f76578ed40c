"""The four-lepton mass plot: data over the expected stack, as in the published figure.

Colours, order, labels and range follow the plot of the CMS example HiggsExample20112012 (CERN Open Data
record 5500); the style is mplhep's, with its own fonts, so it looks the same on every machine and offline.

The plot claims no more than its numbers: a catalogue's note (of simulated data, say) replaces "CMS Open
Data", and a partial campaign shows its own luminosity and its part of the shards. Below are the significance
of the Higgs boson and its strength, or why they are unknown.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from hist.intervals import poisson_interval

from higgsdemo.physics.coverage import Coverage
from higgsdemo.physics.discovery import Discovery, in_words
from higgsdemo.physics.exposure import Exposure, tell_beyond, tell_uncovered
from higgsdemo.physics.normalisation import Spectrum
from higgsdemo.physics.uncertainties import Events, deviation
from higgsdemo.results.document import BINS, HIGH, LOW

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from higgsdemo.catalogue import Catalogue

ENERGY_TEV = {2011: 7, 2012: 8}
"""Centre-of-mass energy of the LHC's proton collisions, by year."""

BACKGROUNDS = {
    "ttbar": (r"$t\bar{t}$", "#b9b9bd"),
    "dy": (r"Z/$\gamma^{*}$ + X", "#669966"),
    "zz": (r"ZZ $\to$ 4$\ell$", "#99ccff"),
}
"""Label and colour of the filled part of the stack, from the bottom up."""

HIGGS_LABEL, HIGGS_COLOUR = r"$m_{H}$ = 125 GeV", "#e8112d"
ERROR_LABEL = "Uncertainty"
NOTE_COLOUR = "#b4111f"

_STYLE: dict[Any, Any] = {
    "font.size": 22,
    "axes.linewidth": 1.5,
    "legend.fontsize": 20,
    "svg.hashsalt": "higgsdemo",
    "svg.fonttype": "path",
    "hatch.linewidth": 0.6,
}


def draw(spectrum: Spectrum, catalogue: Catalogue, discovery: Discovery | None = None) -> Figure:
    """Draw the plot of all channels together, 10 by 12 inches, without rendering it.

    Below it are the pulls: what is seen beyond what is expected, in standard deviations of both.

    It does not use pyplot, which would keep the figure and ask for a display.
    """
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(10, 12))
        axes = figure.add_axes((0.12, 0.2425, 0.845, 0.696))
        panel = figure.add_axes((0.12, 0.0875, 0.845, 0.14), sharex=axes)
        error = deviation(spectrum, catalogue)
        highest = _draw_stack(axes, spectrum, error)
        if spectrum.observed:
            highest = max(highest, _draw_data(axes, spectrum, _data_label(catalogue)))
            _draw_pulls(panel, spectrum, error)
        axes.tick_params(labelbottom=False)
        axes.set_xlabel("")
        panel.set(ylim=(-3.5, 3.5), yticks=(-2, 0, 2), ylabel="Pull", xlabel=r"$m_{4\ell}$ [GeV]")
        axes.set_ylabel(f"Events / {(HIGH - LOW) / BINS:g} GeV")
        _write_legend(axes, catalogue)
        free = min(_write_headline(axes, spectrum, catalogue, discovery), 0.645)
        axes.set(xlim=(LOW, HIGH), ylim=(0, highest / free if highest else 1))
        axes.text(
            1, 1.012, luminosity_text(spectrum.exposures), transform=axes.transAxes, ha="right", size=19
        )
    return figure


def render(figure: Figure) -> dict[str, bytes]:
    """Render the figure as `png` and `svg`; the same bytes for the same figure."""
    with style():
        return {
            "png": _save(figure, "png", {"Software": None}),
            "svg": _save(figure, "svg", {"Date": None, "Creator": None}),
        }


def luminosity_text(exposures: tuple[Exposure, ...]) -> str:
    """Return the covered luminosity by year, as `2.3 fb⁻¹ (7 TeV) + 11.6 fb⁻¹ (8 TeV)`.

    Where channels cover different parts of a year it is given as from-to; years without any are left out.
    """
    parts = []
    for year in sorted({exposure.year for exposure in exposures}):
        covered = [exposure.covered_pb / 1000 for exposure in exposures if exposure.year == year]
        ends = [f"{value:.1f}" if value >= 0.95 else f"{value:.2g}" for value in (min(covered), max(covered))]
        energy = f"{ENERGY_TEV[year]} TeV" if year in ENERGY_TEV else str(year)
        if max(covered):
            parts.append(rf"{'–'.join(dict.fromkeys(ends))} fb$^{{-1}}$ ({energy})")
    return " + ".join(parts)


def coverage_text(spectrum: Coverage) -> str | None:
    """Return what a plot lacks and what is wrong with it, such as `98.7% of the shards`; None for nothing."""
    lines = []
    if spectrum.coverage < 1:
        lines.append(f"{math.floor(1000 * spectrum.coverage) / 10:.1f}% of the shards")
    if spectrum.absent:
        lines.append(f"{len(spectrum.absent)} sample{'s' if len(spectrum.absent) > 1 else ''} missing")
    if spectrum.differing:
        lines.append(spectrum.differing)
    if spectrum.weightless:
        lines.append(f"weights of {', '.join(spectrum.weightless)} add up to nothing")
    lines += tell_uncovered(spectrum.exposures) + tell_beyond(spectrum.exposures)
    return "\n".join(lines) or None


def _draw_stack(axes: Axes, spectrum: Spectrum, error: Events) -> float:
    """Draw the backgrounds filled, the Higgs boson on them as an open line; return the highest bin in events.

    Empty groups are not drawn: the legend names only what can be seen.
    """
    import mplhep

    groups = {group: spectrum.combined(group) for group in (*BACKGROUNDS, "higgs")}
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


def _draw_data(axes: Axes, spectrum: Spectrum, label: str) -> float:
    """Draw points with Poisson (Garwood) intervals of 68%, of empty bins the bar; return the highest end."""
    histogram = spectrum.combined("data")
    counts = np.asarray(histogram.values())
    low, high = poisson_interval(counts)
    filled = counts > 0
    if not filled.any():
        return 0.0
    axes.errorbar(
        histogram.axes[0].centers[filled],
        counts[filled],
        yerr=np.stack([counts - low, high - counts])[:, filled],
        fmt="o",
        color="black",
        markersize=7,
        elinewidth=1.5,
        label=label,
        zorder=5,
    )
    axes.vlines(histogram.axes[0].centers[~filled], 0, high[~filled], color="black", linewidth=1.5, zorder=5)
    return float(np.max(high[filled]))


def _draw_pulls(panel: Axes, spectrum: Spectrum, error: Events) -> None:
    """Draw (seen - expected) / √(expected + error²), where anything is expected."""
    groups = (spectrum.combined(group).values() for group in (*BACKGROUNDS, "higgs"))
    expected, seen = np.sum(list(groups), axis=0), spectrum.combined("data")
    spread = np.sqrt(np.maximum(expected, 0) + error**2)
    pulls = np.divide(seen.values() - expected, spread, out=np.zeros(BINS), where=spread > 0)
    panel.stairs(pulls, seen.axes[0].edges, fill=True, color="#8c8c94")
    panel.axhline(0, color="black", linewidth=1)


def _data_label(catalogue: Catalogue) -> str:
    return "Pseudo-data" if catalogue.note else "Data"


def _write_legend(axes: Axes, catalogue: Catalogue) -> None:
    """Write the legend from the data down the stack."""
    handles, labels = axes.get_legend_handles_labels()
    known = dict(zip(labels, handles, strict=True))
    backgrounds = (label for label, _ in reversed(BACKGROUNDS.values()))
    order = (_data_label(catalogue), HIGGS_LABEL, *backgrounds, ERROR_LABEL)
    drawn = {label: known[label] for label in order if label in known}
    if drawn:
        axes.legend(drawn.values(), drawn, loc="upper right", borderaxespad=0.7, labelspacing=0.35)


def _write_headline(
    axes: Axes, spectrum: Spectrum, catalogue: Catalogue, discovery: Discovery | None
) -> float:
    """Write what the data are, what is missing of them, and what they say, in the upper left.

    :returns: the part of the axes' height that is free below.
    """
    text = catalogue.note or "CMS Open Data"
    size, width = (25, 20) if len(text) <= 60 else (17, 30)
    lines = textwrap.wrap(text, width)
    colour = NOTE_COLOUR if catalogue.note else "black"
    place: dict[str, Any] = {"transform": axes.transAxes, "ha": "left", "va": "top", "parse_math": False}
    axes.text(
        0.04, 0.965, "\n".join(lines), weight="bold", size=size, color=colour, linespacing=1.15, **place
    )
    below = 0.955 - 0.00195 * size * len(lines)
    if missing := coverage_text(spectrum):
        missing = "\n".join(line for part in missing.splitlines() for line in textwrap.wrap(part, 32))
        axes.text(0.04, below, missing, size=19, style="italic", **place)
        below -= 0.01 + 0.00195 * 19 * len(missing.splitlines())
    if discovery is not None:
        found = [line for words in in_words(discovery) for line in textwrap.wrap(words, 44, max_lines=3)]
        axes.text(0.04, below, "\n".join(found), size=15, linespacing=1.3, **place)
        below -= 0.0375 * len(found)
    return below


@contextmanager
def style() -> Iterator[None]:
    """Draw and render in the CMS style while this context lasts."""
    import matplotlib
    import mplhep

    with matplotlib.rc_context(mplhep.style.CMS), matplotlib.rc_context(_STYLE):
        yield


def _save(figure: Figure, format: str, metadata: dict[str, str | None]) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format=format, dpi=120, metadata=metadata)
    return content.getvalue()

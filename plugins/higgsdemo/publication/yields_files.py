"""The yields as a table for papers, `yields.tex`, and for programs, `yields.csv`.

Errors of expected events are those of the plot's band: all uncertainties, of which each has one cause
everywhere. Data have Poisson (Garwood) intervals of 68%.
"""

import csv
import io
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from higgsdemo.catalogue import Catalogue
from higgsdemo.physics.normalisation import Spectrum
from higgsdemo.physics.poisson import poisson_interval
from higgsdemo.physics.uncertainties import EDGES, sum_deviation
from higgsdemo.physics.yields import WINDOW
from higgsdemo.publication.rounding import round_number
from higgsdemo.results.document import CHANNELS, HIGH, LOW

RANGES = ((LOW, HIGH), WINDOW)
_LABELS = {
    "ttbar": r"$\mathrm{t}\bar{\mathrm{t}}$",
    "dy": r"$\mathrm{Z}/\gamma^{*}$ + X",
    "zz": r"$\mathrm{ZZ} \to 4\ell$",
    "background": "All backgrounds",
    "higgs": r"$m_{\mathrm{H}} = 125$ GeV",
    "data": "Observed",
}
_CHANNELS = {"4mu": r"$4\mu$", "4e": r"$4\mathrm{e}$", "2e2mu": r"$2\mathrm{e}2\mu$", "all": r"$4\ell$"}


class Line(NamedTuple):
    """The events of a group, in a channel and a range of masses in GeV; their interval of 68%."""

    group: str
    channel: str
    low_gev: float
    high_gev: float
    events: float
    from_events: float
    to_events: float


def yields_lines(spectrum: Spectrum, catalogue: Catalogue) -> list[Line]:
    """Return the yields of what was processed; `background` is the sum of the backgrounds."""
    return [
        line
        for low, high in RANGES
        for group in _LABELS
        for channel in _CHANNELS
        for line in _line(spectrum, catalogue, group, channel, low, high)
    ]


def as_csv(lines: list[Line]) -> bytes:
    """Return a table with a line for each."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(Line._fields)
    writer.writerows((*line[:4], *map(round_number, line[4:])) for line in lines)
    return content.getvalue().encode()


def as_latex(lines: list[Line], catalogue: Catalogue) -> bytes:
    """Return a `tabular` that needs no package, with a block for each range."""
    cells = {line[:4]: _cell(line) for line in lines}
    rows = [f"% {catalogue.note or catalogue.title}", r"\begin{tabular}{lcccc}", r"\hline"]
    rows += [" & ".join(["", *_CHANNELS.values()]) + r" \\", r"\hline"]
    for low, high in RANGES:
        rows.append(rf"\multicolumn{{5}}{{l}}{{${low:g} < m_{{4\ell}} < {high:g}$ GeV}} \\")
        for group, label in _LABELS.items():
            found = [cells.get((group, channel, low, high), "--") for channel in _CHANNELS]
            rows.append(" & ".join([label, *found]) + r" \\")
        rows.append(r"\hline")
    return "\n".join([*rows, r"\end{tabular}", ""]).encode()


def _line(
    spectrum: Spectrum, catalogue: Catalogue, group: str, channel: str, low: float, high: float
) -> Iterator[Line]:
    """Yield the line, if any event of the group was processed in the channel."""
    groups = ("ttbar", "dy", "zz") if group == "background" else (group,)
    channels = CHANNELS if channel == "all" else (channel,)
    bins = slice(*(int(np.searchsorted(EDGES, edge)) for edge in (low, high)))
    if not any(one in spectrum.groups.get(of, {}) for of in groups for one in channels):
        return
    events = sum(float(spectrum.combined(of, channels).values()[bins].sum()) for of in groups)
    if group == "data":
        least, most = map(float, poisson_interval(np.array([events]))[:, 0])
    else:
        error = sum_deviation(spectrum, catalogue, channels, groups, bins)
        least, most = events - error, events + error
    yield Line(group, channel, low, high, events, least, most)


def _cell(line: Line) -> str:
    if line.group == "data":
        return f"{line.events:.0f}"
    return rf"${line.events:.2f} \pm {line.to_events - line.events:.2f}$"

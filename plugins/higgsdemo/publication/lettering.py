"""What pictures have in common: the CMS style, what they are of, and how they are written to files."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from higgsdemo.physics.coverage import Coverage
from higgsdemo.physics.exposure import Exposure, tell_beyond, tell_uncovered

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from higgsdemo.catalogue import Catalogue

ENERGY_TEV = {2011: 7, 2012: 8}
"""Centre-of-mass energy of the LHC's proton collisions, by year."""

NOTE_COLOUR = "#b4111f"

LEFT = 0.05
"""Where text begins, as a part of the axes' width."""

_STYLE: dict[Any, Any] = {
    "font.size": 22,
    "axes.linewidth": 1.5,
    "legend.fontsize": 20,
    "svg.hashsalt": "higgsdemo",
    "svg.fonttype": "path",
    "hatch.linewidth": 0.6,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw and render in the CMS style while this context lasts."""
    import matplotlib
    import mplhep

    with matplotlib.rc_context(mplhep.style.CMS), matplotlib.rc_context(_STYLE):
        yield


def render(figure: Figure) -> dict[str, bytes]:
    """Render the figure as `png` and `svg`; the same bytes for the same figure."""
    with style():
        return {
            "png": _save(figure, "png", {"Software": None}),
            "svg": _save(figure, "svg", {"Date": None, "Creator": None}),
        }


def write_label(axes: Axes, catalogue: Catalogue) -> float:
    """Write what the data are into the upper left: CMS Open Data, in its form, or the catalogue's note.

    :returns: the part of the axes' height that is free below.
    """
    import mplhep

    if catalogue.note is None:
        mplhep.label.exp_text("CMS", "Open Data", loc=1, ax=axes, fontsize=(32, 25, 0, 0))
        return 0.945 - 0.00195 * 32
    size, width = (25, 20) if len(catalogue.note) <= 60 else (17, 30)
    lines = textwrap.wrap(catalogue.note, width)
    axes.text(
        LEFT,
        0.965,
        "\n".join(lines),
        weight="bold",
        size=size,
        color=NOTE_COLOUR,
        linespacing=1.15,
        transform=axes.transAxes,
        va="top",
        parse_math=False,
    )
    return 0.955 - 0.00195 * size * len(lines)


def write_luminosity(axes: Axes, exposures: Iterable[Exposure]) -> None:
    """Write the covered luminosity above the axes, on the right."""
    axes.text(1, 1.012, luminosity_text(exposures), transform=axes.transAxes, ha="right", size=19)


def luminosity_text(exposures: Iterable[Exposure]) -> str:
    """Return the covered luminosity by year, as `2.3 fb⁻¹ (7 TeV) + 11.6 fb⁻¹ (8 TeV)`.

    Where channels cover different parts of a year it is given as from-to; years without any are left out.
    """
    parts, exposures = [], tuple(exposures)
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


def _save(figure: Figure, format: str, metadata: dict[str, str | None]) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format=format, dpi=120, metadata=metadata)
    return content.getvalue()

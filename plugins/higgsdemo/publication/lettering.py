"""What pictures have in common: the CMS style, what they are of, and how they are written to files."""

import io
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import mplhep
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from higgsdemo.catalogue import Catalogue
from higgsdemo.physics.exposure import Exposure, luminosity_text

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


def _save(figure: Figure, format: str, metadata: dict[str, str | None]) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format=format, dpi=120, metadata=metadata)
    return content.getvalue()

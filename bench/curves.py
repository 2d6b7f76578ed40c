"""Curves as a picture: what a bench has found against what it varied. The same numbers give the same file."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

INCHES = 4.2  # width and height of a panel
COLOURS = ("#3f90da", "#e8112d", "#669966", "#b9890b", "#717581")  # one for each curve of a panel
RING = 9  # pt


@dataclass(frozen=True)
class Curve:
    """A line through points; `marked` are those with a ring, and `dashed` lines have no name of their own."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    marked: Sequence[float] = ()
    dashed: Sequence[float] = ()


@dataclass(frozen=True)
class Panel:
    """Some curves with the same logarithmic axes."""

    title: str
    x: str
    y: str
    curves: Sequence[Curve]


def draw(panels: Sequence[Panel]) -> bytes:
    """Return the panels side by side as SVG; a point of a curve's `marked` is one of its `x`."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "higgsdemo", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(INCHES * len(panels), INCHES), layout="constrained")
        for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            for colour, curve in zip(COLOURS, panel.curves, strict=False):
                axes.loglog(curve.x, curve.y, color=colour, label=curve.name)
                if curve.dashed:
                    axes.loglog(curve.x, curve.dashed, "--", color=colour, linewidth=0.8)
                at = [curve.y[list(curve.x).index(x)] for x in curve.marked]
                axes.loglog(curve.marked, at, "o", color=colour, markersize=RING, markerfacecolor="none")
            axes.set(title=panel.title, xlabel=panel.x, ylabel=panel.y)
            axes.grid(alpha=0.3)
            axes.legend()
        picture = io.BytesIO()
        figure.savefig(picture, format="svg", metadata={"Date": None})
    return picture.getvalue()

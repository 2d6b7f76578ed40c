"""How the data speak for a Higgs boson: the local p-value by its mass, and -2 ln L by its strength."""

import math
from statistics import NormalDist

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from higgsdemo.catalogue import Catalogue
from higgsdemo.physics.discovery import Discovery
from higgsdemo.physics.exposure import Exposure
from higgsdemo.publication.lettering import style, write_label, write_luminosity

GUIDE = "#8c8c94"
SMALLEST = 1e-300  # p-value: beyond 37 standard deviations a float is 0, which has no place on the axis


def draw_scans(discovery: Discovery, catalogue: Catalogue, exposures: tuple[Exposure, ...]) -> Figure:
    """Draw both scans, 18 by 8 inches, without rendering them; that of the strength may be empty."""
    with style():
        figure = Figure(figsize=(18, 8))
        masses, strengths = (figure.add_axes((left, 0.13, 0.405, 0.79)) for left in (0.075, 0.575))
        _draw_masses(masses, discovery)
        if discovery.scan:
            _draw_strengths(strengths, discovery)
        for axes in (masses, strengths):
            write_label(axes, catalogue)
            write_luminosity(axes, exposures)
    return figure


def _draw_masses(axes: Axes, discovery: Discovery) -> None:
    """Draw the local p-values, with a line at each standard deviation."""
    mass, *found = np.array(discovery.masses).T
    observed, expected = np.maximum(found, SMALLEST)
    least = min(*observed, *expected)
    axes.semilogy(mass, observed, "o-", color="black", markersize=5, linewidth=2, label="Observed")
    label = r"Expected, $m_{H}$ = 125 GeV"
    axes.semilogy(mass, expected, "--", color="#3f90da", linewidth=2.5, label=label)
    deviations = [n for n in range(1, 8) if NormalDist().cdf(-n) > least / 10]
    for n in deviations:
        p = NormalDist().cdf(-n)
        axes.axhline(p, color=GUIDE, linestyle=":", linewidth=1.2)
        axes.text(mass[-1], p, rf"{n}$\sigma$ ", color=GUIDE, size=16, ha="right", va="bottom")
    axes.set(xlim=(mass[0], mass[-1]), ylim=(least / 10, 40))
    decades = -math.floor(math.log10(least / 10))
    axes.set_yticks([10.0**-n for n in range(0, decades, 1 + decades // 20)])
    axes.minorticks_off()
    axes.set(xlabel=r"$m_{H}$ [GeV]", ylabel="Local p-value")
    axes.legend(loc="upper right", fontsize=17)


def _draw_strengths(axes: Axes, discovery: Discovery) -> None:
    """Draw -2 ln L less its least value, with lines where the intervals of 68% and 95% end."""
    strength, fall = np.array(discovery.scan).T
    roots = np.where(strength < discovery.signal_strength, -1, 1) * np.sqrt(fall)  # nearly a straight line
    fine = np.linspace(0, strength[-1], 200)
    axes.plot(fine, np.interp(fine, strength, roots) ** 2, color="black", linewidth=2)
    for level, text in ((1.0, "68%"), (3.841, "95%")):
        axes.axhline(level, color=GUIDE, linestyle=":", linewidth=1.2)
        axes.text(strength[-1], level, f"{text} ", color=GUIDE, size=16, ha="right", va="bottom")
    axes.set(xlim=(0, strength[-1]), ylim=(0, 1.45 * max(fall)))
    axes.set(xlabel=r"Signal strength $\mu$", ylabel=r"$-2\,\Delta\ln L$")

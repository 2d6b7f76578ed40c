"""How rare the data are without a Higgs boson, by its mass: the local p-value, as CMS draws it.

The simulated Higgs boson has 125 GeV. For another mass its spectrum is moved, as the uncertainty of a mass
scale moves it. How many events would be expected of another mass is not asked: the signal strength is free.
"""

from dataclasses import replace
from math import erfc, sqrt

import numpy as np

from higgsdemo.catalogue import Catalogue
from higgsdemo.physics.histfactory import Model
from higgsdemo.physics.likelihood import Likelihood, NoConvergenceError
from higgsdemo.physics.normalisation import Spectrum
from higgsdemo.physics.uncertainties import move
from higgsdemo.physics.workspace import SIGNAL, NoFitError, workspace
from higgsdemo.physics.yields import make_histogram

SIMULATED = 125.0
MASSES = tuple(SIMULATED + 3.0 * n for n in range(-5, 12))
"""110 to 158 GeV, a bin apart."""


def local_p_values(spectrum: Spectrum, catalogue: Catalogue) -> tuple[tuple[float, float, float], ...]:
    """Return by mass the p-value of the data, and that expected if there is the Higgs boson of 125 GeV.

    Masses at which nothing can be fitted are left out.
    """
    asimov = Model(workspace(spectrum, catalogue)).expected(1.0)
    found = []
    for mass in MASSES:
        try:
            model = Model(workspace(_moved(spectrum, mass / SIMULATED), catalogue))
            likelihoods = [Likelihood(model, seen) for seen in (model.observed, asimov)]
            observed, expected = (erfc(one.deviations(0.0) / sqrt(2)) / 2 for one in likelihoods)
            for one in likelihoods:
                one.require_lowest()
        except (NoFitError, NoConvergenceError):
            continue
        found.append((mass, observed, expected))
    return tuple(found)


def _moved(spectrum: Spectrum, factor: float) -> Spectrum:
    """Return a spectrum whose signal has masses `factor` times as high."""
    years = {
        year: groups
        | {
            SIGNAL: {
                channel: make_histogram(*(move(np.asarray(of), factor) for of in (h.values(), h.variances())))
                for channel, h in groups.get(SIGNAL, {}).items()
            }
        }
        for year, groups in spectrum.years.items()
    }
    return replace(spectrum, years=years)

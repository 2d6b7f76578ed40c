"""A toy detector: which leptons are seen, and how well they are measured.

Resolutions, efficiencies and impact-parameter errors are round numbers of the size CMS had in 2012. The
result has the columns and thresholds of reduced NanoAOD (muons above 3, electrons above 5 GeV), and its
marker -999 where there is no particle-flow isolation.
"""

from typing import NamedTuple

import numpy as np

from generator.kinematics import Floats
from generator.leptons import MUON, Integers, Leptons


class Reconstructed(NamedTuple):
    """Measured leptons, ordered by event and falling pT; dxy, dz and their errors in cm."""

    event: Integers
    flavour: Integers
    charge: Integers
    pt: Floats
    eta: Floats
    phi: Floats
    iso: Floats
    dxy: Floats
    dz: Floats
    dxyErr: Floats
    dzErr: Floats


def reconstruct(rng: np.random.Generator, truth: Leptons) -> Reconstructed:
    """Pass true leptons through the detector."""
    seen = truth.where(_is_seen(rng, truth))
    measured = seen._replace(pt=_measured_pt(rng, seen))
    measured = measured.where(measured.pt > np.where(measured.flavour == MUON, 3.0, 5.0))
    order = np.lexsort((-measured.pt, measured.event))
    leptons = Leptons._make(column[order] for column in measured)
    dxy_error = 0.003 * rng.lognormal(0.0, 0.3, len(order)) * (1.0 + 5.0 / leptons.pt)
    dz_error = 0.005 * rng.lognormal(0.0, 0.3, len(order)) * (1.0 + 5.0 / leptons.pt)
    return Reconstructed(
        *leptons[:6],
        iso=_isolation(rng, leptons),
        dxy=_impact(rng, leptons, dxy_error),
        dz=_impact(rng, leptons, dz_error),
        dxyErr=dxy_error,
        dzErr=dz_error,
    )


def _is_seen(rng: np.random.Generator, leptons: Leptons) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    muon = leptons.flavour == MUON
    plateau = np.where(muon, 0.96, 0.88)
    turn_on = 1.0 - np.exp(-leptons.pt / np.where(muon, 2.0, 6.0))
    in_range = np.abs(leptons.eta) < np.where(muon, 2.4, 2.5)
    return in_range & (rng.random(len(muon)) < plateau * turn_on)


def _measured_pt(rng: np.random.Generator, leptons: Leptons) -> Floats:
    """Smear pT by a Gaussian resolution, with a tail to low pT from radiation (stronger for electrons)."""
    n = len(leptons.pt)
    muon = leptons.flavour == MUON
    resolution = np.where(muon, 0.010 + 0.006 * np.abs(leptons.eta), 0.018 + 0.005 * np.abs(leptons.eta))
    radiates = rng.random(n) < np.where(muon, 0.10, 0.18)
    lost = np.where(radiates, np.minimum(rng.exponential(0.10, n), 0.9), 0.0)
    smearing = np.maximum(1.0 + resolution * rng.normal(size=n), 0.1)
    measured: Floats = leptons.pt * (1.0 - lost) * smearing
    return measured


def _isolation(rng: np.random.Generator, leptons: Leptons) -> Floats:
    isolation = rng.exponential(np.where(leptons.prompt, 0.08, 0.7))
    has_none = rng.random(len(isolation)) < np.where(leptons.prompt, 0.005, 0.10)
    return np.where(has_none, -999.0, isolation)


def _impact(rng: np.random.Generator, leptons: Leptons, error: Floats) -> Floats:
    """Scatter prompt leptons by the error, and those of jets also by the flight of a heavy hadron."""
    flight = np.where(leptons.prompt, 0.0, rng.exponential(0.02, len(error)))
    impact: Floats = error * rng.normal(size=len(error)) + flight * rng.choice([-1.0, 1.0], len(error))
    return impact

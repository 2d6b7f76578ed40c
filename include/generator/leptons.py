"""A flat table of leptons, each with the number of its event.

All parts of the generator share it: processes append rows, the detector drops and smears rows, and only the
file writer turns them into lists per event.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from generator.kinematics import Floats

MUON, ELECTRON = 13, 11

Integers = NDArray[np.int64]


class Leptons(NamedTuple):
    """Columns of equal length; pt in GeV, `flavour` 13 or 11, `prompt` = from a W or Z decay."""

    event: Integers
    flavour: Integers
    charge: Integers
    pt: Floats
    eta: Floats
    phi: Floats
    prompt: NDArray[np.bool_]

    def where(self, mask: NDArray[np.bool_]) -> "Leptons":
        return Leptons._make(column[mask] for column in self)


def concatenate(*tables: Leptons) -> Leptons:
    """Join all rows of all tables."""
    return Leptons._make(np.concatenate(columns) for columns in zip(*tables, strict=True))


def from_momenta(flavour: Integers, charge: Integers, momentum: Floats) -> Leptons:
    """Make prompt leptons of momenta (n, k, 4), k leptons in each of n events; the others are (n, k)."""
    n, k, _ = momentum.shape
    px, py, pz = np.moveaxis(momentum[..., :3].reshape(-1, 3), -1, 0)
    pt = np.hypot(px, py)
    return Leptons(
        np.repeat(np.arange(n), k),
        flavour.ravel(),
        charge.ravel(),
        pt,
        np.arcsinh(pz / pt),
        np.arctan2(py, px),
        np.ones(n * k, bool),
    )

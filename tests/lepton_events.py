"""Events written out by hand, lepton by lepton, in the arrays that the selection takes."""

from typing import Any, NamedTuple

import awkward as ak
import numpy as np

FIELDS = ("pt", "eta", "phi", "charge", "dxy", "dz", "dxyErr", "dzErr", "iso")


class Lepton(NamedTuple):
    """One muon or electron; a good one unless told otherwise."""

    pt: float
    eta: float
    phi: float
    charge: int
    iso: float = 0.1
    dxy: float = 0.0
    dz: float = 0.0
    dxyErr: float = 0.01
    dzErr: float = 0.01


Event = tuple[list[Lepton], list[Lepton]]
"""Muons and electrons."""


def collections(events: list[Event]) -> tuple[ak.Array, ak.Array]:
    """The muons and the electrons of all events as `workload.events.Events` has them."""
    return _collection([muons for muons, _ in events]), _collection([electrons for _, electrons in events])


def _collection(lists: list[list[Lepton]]) -> Any:
    counts = np.array([len(leptons) for leptons in lists], np.int64)
    flat = [lepton for leptons in lists for lepton in leptons]
    columns = {field: np.array([getattr(lepton, field) for lepton in flat], np.float64) for field in FIELDS}
    return ak.zip({field: ak.unflatten(column, counts) for field, column in columns.items()})


def pair(mass: float, pt: float, phi: float = 0.0) -> list[Lepton]:
    """Two massless leptons of opposite charge and equal pT at eta 0, with an invariant mass up to 2 pT."""
    opening = np.arccos(1.0 - mass**2 / (2.0 * pt**2))
    return [Lepton(pt, 0.0, phi - opening / 2, +1), Lepton(pt, 0.0, phi + opening / 2, -1)]

"""Events written out by hand, lepton by lepton, in the arrays that the selection takes."""

from typing import NamedTuple

import numpy as np

from workload.events import FIELDS, Leptons


class Lepton(NamedTuple):
    """One muon or electron; a good one unless told otherwise."""

    pt: float
    eta: float
    phi: float
    charge: float
    iso: float = 0.1
    dxy: float = 0.0
    dz: float = 0.0
    dxyErr: float = 0.01
    dzErr: float = 0.01


Event = tuple[list[Lepton], list[Lepton]]
"""Muons and electrons."""


def collections(events: list[Event]) -> tuple[Leptons, Leptons]:
    """The muons and the electrons of all events."""
    return _collection([muons for muons, _ in events]), _collection([electrons for _, electrons in events])


def _collection(lists: list[list[Lepton]]) -> Leptons:
    counts = np.array([len(leptons) for leptons in lists], np.int64)
    flat = [lepton for leptons in lists for lepton in leptons]
    columns = ([getattr(lepton, field) for lepton in flat] for field in FIELDS)
    return Leptons(counts, *(np.array(column, np.float64) for column in columns))


def pair(mass: float, pt: float, phi: float = 0.0) -> list[Lepton]:
    """Two massless leptons of opposite charge and equal pT at eta 0, with an invariant mass up to 2 pT."""
    opening = np.arccos(1.0 - mass**2 / (2.0 * pt**2))
    return [Lepton(pt, 0.0, phi - opening / 2, +1), Lepton(pt, 0.0, phi + opening / 2, -1)]

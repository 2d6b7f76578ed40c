"""Events written out by hand, lepton by lepton, in the arrays that the selection takes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
import uproot

from workload.events import FIELDS, Leptons, branch_of

TOLD_MORE = {"Muon": ("isGlobal", "isPFcand"), "Electron": ("lostHits", "deltaEtaSC")}
TYPES = {"charge": np.int32, "isGlobal": np.bool_, "isPFcand": np.bool_, "lostHits": np.uint8}


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
    isGlobal: bool = True
    isPFcand: bool = True
    lostHits: int = 0
    deltaEtaSC: float = 0.0


Event = tuple[list[Lepton], list[Lepton]]
"""Muons and electrons."""


def collections(events: list[Event]) -> tuple[Leptons, Leptons]:
    """Return the muons and the electrons of all events."""
    return _collection([muons for muons, _ in events]), _collection([electrons for _, electrons in events])


def _collection(lists: list[list[Lepton]]) -> Leptons:
    counts = np.array([len(leptons) for leptons in lists], np.int64)
    flat = [lepton for leptons in lists for lepton in leptons]
    columns = ([getattr(lepton, field) for lepton in flat] for field in FIELDS)
    return Leptons(counts, *(np.array(column, np.float64) for column in columns))


def write_full(path: Path, events: list[Event], weights: Sequence[float]) -> None:
    """Write a file as full NanoAOD is: with what it tells more of leptons, and the generator's weights."""
    content: dict[str, Any] = {"genWeight": np.array(weights, np.float32)}
    for lists, (kind, more) in zip(zip(*events, strict=True), TOLD_MORE.items(), strict=True):
        flat = [lepton for leptons in lists for lepton in leptons]
        columns = {
            branch_of(kind, field).removeprefix(f"{kind}_"): np.array(
                [getattr(lepton, field) for lepton in flat], TYPES.get(field, np.float32)
            )
            for field in (*FIELDS, *more)
        }
        content[kind] = ak.unflatten(ak.zip(columns), [len(leptons) for leptons in lists])
    with uproot.recreate(path) as file:
        file.mktree("Events", {name: ak.Array(values).type.content for name, values in content.items()})
        file["Events"].extend(content)


def pair(mass: float, pt: float, phi: float = 0.0) -> list[Lepton]:
    """Two massless leptons of opposite charge and equal pT at eta 0, with an invariant mass up to 2 pT."""
    opening = np.arccos(1.0 - mass**2 / (2.0 * pt**2))
    return [Lepton(pt, 0.0, phi - opening / 2, +1), Lepton(pt, 0.0, phi + opening / 2, -1)]

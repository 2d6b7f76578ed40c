"""Events written out by hand, lepton by lepton, in the arrays that the selection takes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
import uproot

from workload.events import Leptons

FIELDS = ("pt", "eta", "phi", "charge", "dxy", "dz", "dxyErr", "dzErr", "iso")
ISOLATION = {"Muon": "pfRelIso04_all", "Electron": "pfRelIso03_all"}
TOLD_MORE = ("isGlobal", "isPFcand", "lostHits", "deltaEtaSC")
FULL = {
    "Muon": {
        **{name: name for name in (*FIELDS[:-1], "isGlobal", "isPFcand", "sip3d")},
        **{"pfRelIso04_all": "iso", "pfRelIso03_all": "iso", "looseId": "identified"},
    },
    "Electron": {
        **{name: name for name in (*FIELDS[:-1], "lostHits", "deltaEtaSC", "sip3d")},
        **{"pfRelIso03_all": "iso", "mvaFall17V2Iso_WP90": "identified"},
    },
}
"""The branches of full NanoAOD, and the fields of a lepton that they hold."""
FLAGS = ("isGlobal", "isPFcand", "identified")
TYPES = {"charge": np.int32, "lostHits": np.uint8, **dict.fromkeys(FLAGS, np.bool_)}


NO_BITS: Mapping[str, Any] = MappingProxyType({})


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
    sip3d: float = 0.0
    identified: bool = True


Event = tuple[list[Lepton], list[Lepton]]
"""Muons and electrons."""


def collections(events: list[Event]) -> tuple[Leptons, Leptons]:
    """Return the muons and the electrons of all events."""
    muons, electrons = (
        Leptons(
            np.array([len(leptons) for leptons in lists], np.int64),
            {
                field.replace("iso", isolation): np.array(
                    [getattr(lepton, field) for leptons in lists for lepton in leptons], np.float64
                )
                for field in FIELDS
            },
        )
        for lists, isolation in zip(
            ([m for m, _ in events], [e for _, e in events]), ISOLATION.values(), strict=True
        )
    )
    return muons, electrons


def write_full(
    path: Path,
    events: list[Event],
    weights: Sequence[float] | None,
    triggers: Mapping[str, Any] = NO_BITS,
) -> None:
    """Write a file as full NanoAOD is: with all it tells of leptons, weights of simulation, trigger bits."""
    content: dict[str, Any] = {name: _bits(name, bits) for name, bits in triggers.items()}
    if weights is not None:
        content["genWeight"] = np.array(weights, np.float32)
    for lists, (kind, branches) in zip(zip(*events, strict=True), FULL.items(), strict=True):
        flat = [lepton for leptons in lists for lepton in leptons]
        columns = {
            branch: np.array([getattr(lepton, field) for lepton in flat], TYPES.get(field, np.float32))
            for branch, field in branches.items()
        }
        content[kind] = ak.unflatten(ak.zip(columns), [len(leptons) for leptons in lists])
    with uproot.recreate(path) as file:
        file.mktree("Events", {name: ak.Array(values).type.content for name, values in content.items()})
        file["Events"].extend(content)


def _bits(name: str, values: Any) -> Any:
    return np.array(values, np.bool_ if name.startswith("HLT") else np.uint32)


def pair(mass: float, pt: float, phi: float = 0.0) -> list[Lepton]:
    """Two massless leptons of opposite charge and equal pT at eta 0, with an invariant mass up to 2 pT."""
    opening = np.arccos(1.0 - mass**2 / (2.0 * pt**2))
    return [Lepton(pt, 0.0, phi - opening / 2, +1), Lepton(pt, 0.0, phi + opening / 2, -1)]


def on_z() -> list[Lepton]:
    return pair(91.2, 45.6)


def off_z() -> list[Lepton]:
    return pair(30.0, 15.0, np.pi / 2)

"""Select four-lepton events as the outreach example for the reduced NanoAOD files does.

The rules of CERN Open Data record 12360 are simpler than those of level 4 (`workload.selection`): an event
is kept or rejected as a whole. All its muons, or electrons, must be good, and 4mu and 4e need exactly four;
in 2e2mu the first two of each flavour form the pairs, and the charges of each flavour add up to zero. The
leptons of a pair are at least 0.02 apart in ΔR. Only 2e2mu asks for leading leptons, above 20 and 10 GeV in
one of the flavours, and it has no threshold for the others.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workload.events import Integers, Leptons
from workload.quartets import (
    ELECTRON_MASS,
    MUON_MASS,
    SAME_FLAVOUR,
    TWO_FLAVOURS,
    Candidates,
    Quartets,
    in_windows,
    pair_up,
    take,
)
from workload.rules import KINEMATICS, RULES, Cut, passing

Z_MASS = 91.2
MIN_DELTA_R = 0.02


class _Flavour(NamedTuple):
    """Mass and least pT, in GeV, of the leptons of one flavour, and what they must pass besides."""

    mass: float
    min_pt: float
    cuts: tuple[Cut, ...]


_MUON = _Flavour(MUON_MASS, 5.0, RULES["outreach"].muon)
_ELECTRON = _Flavour(ELECTRON_MASS, 7.0, RULES["outreach"].electron)


def select(muons: Leptons, electrons: Leptons) -> dict[str, Candidates]:
    """Select four-lepton candidates for each channel, at most one per event and channel."""
    return {
        "4mu": _four(muons, _MUON),
        "4e": _four(electrons, _ELECTRON),
        "2e2mu": _two_of_each(muons, electrons),
    }


def _four(leptons: Leptons, flavour: _Flavour) -> Candidates:
    good = passing(leptons.columns, flavour.cuts) & (leptons["pt"] > flavour.min_pt)
    kept = (leptons.counts == 4) & _all(leptons, good) & (_charge(leptons) == 0)
    quartets = _first(leptons, np.flatnonzero(kept), 4, flavour)
    return _candidates(quartets, SAME_FLAVOUR, opposite_only=True)


def _two_of_each(muons: Leptons, electrons: Leptons) -> Candidates:
    kept = (muons.counts >= 2) & (electrons.counts >= 2) & (_has_leading(muons) | _has_leading(electrons))
    for leptons, flavour in ((muons, _MUON), (electrons, _ELECTRON)):
        kept &= _all(leptons, passing(leptons.columns, flavour.cuts)) & (_charge(leptons) == 0)
    events = np.flatnonzero(kept)
    quartets = _first(muons, events, 2, _MUON).beside(_first(electrons, events, 2, _ELECTRON))
    return _candidates(quartets, TWO_FLAVOURS, opposite_only=False)


def _candidates(leptons: Quartets, pairs: tuple[tuple[int, int], ...], opposite_only: bool) -> Candidates:
    pairing = pair_up(leptons, pairs, Z_MASS, opposite_only)
    with np.errstate(invalid="ignore", over="ignore"):
        mass = leptons.mass
        apart = _are_apart(leptons, pairing.za) & _are_apart(leptons, pairing.zb)
    passed = apart & in_windows(pairing)
    return Candidates(leptons.event[passed], mass[passed])


def _all(leptons: Leptons, good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the events whose leptons are all good."""
    clean: NDArray[np.bool_] = _number(leptons, ~good) == 0
    return clean


def _number(leptons: Leptons, which: NDArray[np.bool_]) -> Integers:
    """Count these leptons in each event."""
    event = np.repeat(np.arange(len(leptons.counts)), leptons.counts)
    return np.bincount(event[which], minlength=len(leptons.counts))


def _charge(leptons: Leptons) -> Integers:
    """Add up the charges of all leptons of each event."""
    return _number(leptons, leptons["charge"] > 0) - _number(leptons, leptons["charge"] < 0)


def _has_leading(leptons: Leptons) -> NDArray[np.bool_]:
    """Mark the events with a lepton above 20 GeV and another above 10 GeV."""
    leading: NDArray[np.bool_] = _number(leptons, leptons["pt"] > 20.0) >= 1
    return leading & (_number(leptons, leptons["pt"] > 10.0) >= 2)


def _first(leptons: Leptons, events: Integers, count: int, flavour: _Flavour) -> Quartets:
    """Return the first leptons of the given events, in the file's order."""
    chosen = (np.cumsum(leptons.counts) - leptons.counts)[events][:, None] + np.arange(count)
    return Quartets.of(flavour.mass, events, *(leptons[branch][chosen] for branch in KINEMATICS))


def _are_apart(leptons: Quartets, pair: Integers) -> NDArray[np.bool_]:
    eta, phi = take(leptons.eta, pair), take(leptons.phi, pair)
    turn = np.abs(phi[:, 0] - phi[:, 1])
    apart: NDArray[np.bool_] = (
        np.hypot(eta[:, 0] - eta[:, 1], np.minimum(turn, 2 * np.pi - turn)) >= MIN_DELTA_R
    )
    return apart

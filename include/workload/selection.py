"""Select four-lepton events as the CMS example HiggsExample20112012 does at its level 4.

Which leptons are good is a table of `workload.rules`, one for each kind of files; what is made of them is the
same for all. Lepton masses are constants as in the example, not the format's mass branch.
"""

from typing import NamedTuple

import numpy as np

from workload.events import Floats, Integers, Leptons
from workload.quartets import (
    CHANNELS,
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
from workload.rules import KINEMATICS, RULES, Cut, Rules, passing

__all__ = ["CHANNELS", "Candidates", "select"]

Z_MASS = 91.1876


class _Good(NamedTuple):
    """Good leptons by event and falling pT: the number and first position of each event, and columns."""

    counts: Integers
    first: Integers
    pt: Floats
    eta: Floats
    phi: Floats
    charge: Floats


def select(muons: Leptons, electrons: Leptons, rules: Rules = RULES["level4"]) -> dict[str, Candidates]:
    """Select four-lepton candidates with m4l > 70 GeV for each channel, at most one per event and channel.

    4mu and 4e take the four good leptons of highest pT, 2e2mu the two of each flavour. An event may be a
    candidate of several channels.
    """
    good_muons = _good(muons, rules.muon)
    good_electrons = _good(electrons, rules.electron)
    both = np.flatnonzero((good_muons.counts >= 2) & (good_electrons.counts >= 2))
    two_of_each = _leading(good_muons, both, 2, MUON_MASS).beside(
        _leading(good_electrons, both, 2, ELECTRON_MASS)
    )
    return {
        "4mu": _candidates(_leading_four(good_muons, MUON_MASS), SAME_FLAVOUR),
        "4e": _candidates(_leading_four(good_electrons, ELECTRON_MASS), SAME_FLAVOUR),
        "2e2mu": _candidates(two_of_each, TWO_FLAVOURS),
    }


def _good(leptons: Leptons, cuts: tuple[Cut, ...]) -> _Good:
    event = np.repeat(np.arange(len(leptons.counts)), leptons.counts)
    chosen = np.flatnonzero(passing(leptons.columns, cuts))
    chosen = chosen[_by_falling_pt(event[chosen], leptons["pt"][chosen])]
    counts = np.bincount(event[chosen], minlength=len(leptons.counts))
    return _Good(counts, np.cumsum(counts) - counts, *(leptons[branch][chosen] for branch in KINEMATICS))


def _by_falling_pt(event: Integers, pt: Floats) -> Integers:
    """Return the order by event and falling pT of leptons that are already grouped by event.

    Files have most events in that order, so only the others are sorted: sorting all took two thirds of the
    selection's time.
    """
    order = np.arange(len(pt))
    mixed = event[1:][(event[1:] == event[:-1]) & (pt[1:] > pt[:-1])]
    if len(mixed):
        chosen = np.flatnonzero(np.isin(event, mixed))
        order[chosen] = chosen[np.lexsort((-pt[chosen], event[chosen]))]
    return order


def _leading_four(leptons: _Good, mass: float) -> Quartets:
    return _leading(leptons, np.flatnonzero(leptons.counts >= 4), 4, mass)


def _leading(leptons: _Good, events: Integers, count: int, mass: float) -> Quartets:
    """Return the `count` leptons of highest pT of the given events, which have at least that many."""
    chosen = leptons.first[events][:, None] + np.arange(count)
    return Quartets.of(mass, events, *(column[chosen] for column in leptons[2:]))


def _candidates(leptons: Quartets, pairs: tuple[tuple[int, int], ...]) -> Candidates:
    """Pair the leptons to Za and Zb and apply the cuts on the pairs.

    Za is the pair of opposite charge nearest to the Z mass, Zb the other two; Za has leptons above 20 and
    10 GeV, 40 < m(Za) < 120 and 12 < m(Zb) < 120 GeV.
    """
    pairing = pair_up(leptons, pairs, Z_MASS)
    with np.errstate(invalid="ignore", over="ignore"):
        mass = leptons.mass
    pt_a = np.sort(take(leptons.pt, pairing.za), axis=1)
    passed = (
        pairing.opposite
        & (leptons.charge.sum(axis=1) == 0)
        & (pt_a[:, 1] > 20.0)
        & (pt_a[:, 0] > 10.0)
        & in_windows(pairing)
        & (mass > 70.0)
    )
    return Candidates(leptons.event[passed], mass[passed])

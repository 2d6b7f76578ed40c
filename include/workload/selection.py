"""Select four-lepton events as the CMS example HiggsExample20112012 does at its level 4.

The rules are those of the 2011-2012 open-data example that repeats the Higgs discovery, applied to what
NanoAOD holds. The reduced format has no particle-flow and global-muon flags, no missing inner hits and no
supercluster position. It writes an isolation of -999 for a lepton that is not particle-flow and an impact
parameter of -999 for a muon that is not global, so requiring valid values stands for those flags; the cut
on missing hits is left out, and |eta| of the electron stands for that of its supercluster. Files that have
these branches, such as full NanoAOD, are selected by them (`workload.events.OPTIONAL`).
Lepton masses are constants as in the example, not the format's mass branch.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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


def select(muons: Leptons, electrons: Leptons) -> dict[str, Candidates]:
    """Select four-lepton candidates with m4l > 70 GeV for each channel, at most one per event and channel.

    4mu and 4e take the four good leptons of highest pT, 2e2mu the two of each flavour. An event may be a
    candidate of several channels.
    """
    good_muons = _good(muons, min_pt=5.0, max_eta=2.4)
    good_electrons = _good(electrons, min_pt=7.0, max_eta=2.5)
    both = np.flatnonzero((good_muons.counts >= 2) & (good_electrons.counts >= 2))
    two_of_each = _leading(good_muons, both, 2, MUON_MASS).beside(
        _leading(good_electrons, both, 2, ELECTRON_MASS)
    )
    return {
        "4mu": _candidates(_leading_four(good_muons, MUON_MASS), SAME_FLAVOUR),
        "4e": _candidates(_leading_four(good_electrons, ELECTRON_MASS), SAME_FLAVOUR),
        "2e2mu": _candidates(two_of_each, TWO_FLAVOURS),
    }


def _good(leptons: Leptons, min_pt: float, max_eta: float) -> _Good:
    event = np.repeat(np.arange(len(leptons.counts)), leptons.counts)
    chosen = np.flatnonzero(_is_good(leptons, min_pt, max_eta))
    chosen = chosen[_by_falling_pt(event[chosen], leptons.pt[chosen])]
    counts = np.bincount(event[chosen], minlength=len(leptons.counts))
    columns = (column[chosen] for column in (leptons.pt, leptons.eta, leptons.phi, leptons.charge))
    return _Good(counts, np.cumsum(counts) - counts, *columns)


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


def _is_good(leptons: Leptons, min_pt: float, max_eta: float) -> NDArray[np.bool_]:
    """Mark leptons that are well measured, isolated and from the primary vertex; NaN and infinity are not."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        impact = np.sqrt(leptons.dxy**2 + leptons.dz**2)
        significance = impact / np.sqrt(leptons.dxyErr**2 + leptons.dzErr**2)  # SIP3D of the example
    good: NDArray[np.bool_] = (
        (leptons.pt > min_pt)
        & (np.abs(leptons.eta if leptons.eta_sc is None else leptons.eta_sc) < max_eta)
        & (leptons.iso >= 0.0)
        & (leptons.iso < 0.4)
        & (significance < 4.0)
        & (np.abs(leptons.dxy) < 0.5)
        & (np.abs(leptons.dz) < 1.0)
        & np.isfinite([leptons.pt, leptons.phi, leptons.dxyErr, leptons.dzErr]).all(axis=0)
    )
    return good if leptons.identified is None else good & leptons.identified


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

"""The level-4 selection once more, event by event in plain Python, to check the vectorised one against.

Written from the rules' text with objects of the `vector` library, and on purpose without any of the
workload's code.
"""

import math
from collections.abc import Callable
from itertools import combinations

import vector

from lepton_events import Event, Lepton

MASSES = {"mu": 0.105658, "e": 0.0005109989}


def is_good(lepton: Lepton, flavour: str) -> bool:
    min_pt, max_eta = {"mu": (5, 2.4), "e": (7, 2.5)}[flavour]
    if flavour == "mu":
        eta, identified = lepton.eta, lepton.isGlobal and lepton.isPFcand
    else:
        eta, identified = lepton.eta + lepton.deltaEtaSC, lepton.lostHits <= 1
    error = math.hypot(lepton.dxyErr, lepton.dzErr)
    return (
        all(math.isfinite(value) for value in lepton)
        and lepton.pt > min_pt
        and abs(eta) < max_eta
        and identified
        and 0 <= lepton.iso < 0.4
        and error > 0
        and math.hypot(lepton.dxy, lepton.dz) / error < 4
        and abs(lepton.dxy) < 0.5
        and abs(lepton.dz) < 1
    )


def is_good_in_v9(lepton: Lepton, flavour: str) -> bool:
    """Whether it is good by the rules for NanoAOD v9."""
    if not all(math.isfinite(value) for value in lepton) or not lepton.identified:
        return False
    if lepton.sip3d >= 4 or abs(lepton.dxy) >= 0.5 or abs(lepton.dz) >= 1:
        return False
    if flavour == "mu":
        return lepton.pt > 5 and abs(lepton.eta) < 2.4 and lepton.iso < 0.35
    return lepton.pt > 7 and abs(lepton.eta + lepton.deltaEtaSC) < 2.5 and lepton.lostHits < 2


def select_event(event: Event, is_good: Callable[[Lepton, str], bool] = is_good) -> dict[str, float]:
    """Return the four-lepton mass in each channel in which the event is selected."""
    good = {
        flavour: sorted((x for x in leptons if is_good(x, flavour)), key=lambda x: -x.pt)
        for flavour, leptons in zip(("mu", "e"), event, strict=True)
    }
    candidates = {}
    for channel, flavour in (("4mu", "mu"), ("4e", "e")):
        if len(good[flavour]) >= 4:
            candidates[channel] = _same_flavour([(x, flavour) for x in good[flavour][:4]])
    if len(good["mu"]) >= 2 and len(good["e"]) >= 2:
        candidates["2e2mu"] = _candidate(
            [(x, "mu") for x in good["mu"][:2]], [(x, "e") for x in good["e"][:2]]
        )
    return {channel: mass for channel, mass in candidates.items() if mass is not None}


def _same_flavour(leptons: list[tuple[Lepton, str]]) -> float | None:
    if sum(lepton.charge for lepton, _ in leptons) != 0:
        return None
    pairings = []
    for first in combinations(range(4), 2):
        a = [leptons[i] for i in first]
        b = [leptons[i] for i in range(4) if i not in first]
        if sum(lepton.charge for lepton, _ in a) == 0:
            pairings.append((abs(_four(a).mass - 91.1876), a, b))
    return _candidate(*min(pairings, key=lambda pairing: pairing[0])[1:])


def _candidate(first: list[tuple[Lepton, str]], second: list[tuple[Lepton, str]]) -> float | None:
    if any(sum(lepton.charge for lepton, _ in pair) != 0 for pair in (first, second)):
        return None
    za, zb = sorted((first, second), key=lambda pair: abs(_four(pair).mass - 91.1876))
    low, high = sorted(lepton.pt for lepton, _ in za)
    mass: float = _four(za + zb).mass
    if high > 20 and low > 10 and 40 < _four(za).mass < 120 and 12 < _four(zb).mass < 120 and mass > 70:
        return mass
    return None


def _four(leptons: list[tuple[Lepton, str]]) -> vector.MomentumObject4D:
    total = vector.obj(px=0, py=0, pz=0, E=0)
    for lepton, flavour in leptons:
        total += vector.obj(pt=lepton.pt, eta=lepton.eta, phi=lepton.phi, mass=MASSES[flavour])
    return total

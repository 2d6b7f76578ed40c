"""A loop over events in plain Python, lepton by lepton, as the rules are written."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import uproot

from bench.selections import CHANNELS, FIELDS, LEAST_PT, MASSES, MOST_ETA, Z_MASS, branches

EVENTS_AT_A_TIME = 10_000


class Lepton(NamedTuple):
    """A good lepton: pT in GeV, charge, and four-momentum."""

    pt: float
    charge: int
    px: float
    py: float
    pz: float
    energy: float


def prepare(path: str) -> Callable[[], dict[str, int]]:
    """Return the work."""

    def work() -> dict[str, int]:
        selected: Counter[str] = Counter(dict.fromkeys(CHANNELS, 0))
        with uproot.open(path) as file:
            for chunk in file["Events"].iterate(branches(), step_size=EVENTS_AT_A_TIME):
                columns = [chunk[branch].to_list() for branch in branches()]
                for event in zip(*columns, strict=True):
                    selected.update(_select(event))
        return dict(selected)

    return work


def _select(event: tuple[list[Any], ...]) -> list[str]:
    width = len(FIELDS) + 1
    muons = _good("Muon", event[:width])
    electrons = _good("Electron", event[width:])
    channels = []
    for channel, leptons in (("4mu", muons), ("4e", electrons)):
        if len(leptons) >= 4 and _same_flavour(leptons[:4]):
            channels.append(channel)
    if len(muons) >= 2 and len(electrons) >= 2 and _passes(muons[:2], electrons[:2]):
        channels.append("2e2mu")
    return channels


def _good(collection: str, columns: tuple[list[Any], ...]) -> list[Lepton]:
    """Return the good leptons of an event by falling pT."""
    good = []
    for pt, eta, phi, charge, dxy, dz, dxy_error, dz_error, iso in zip(*columns, strict=True):
        error = math.hypot(dxy_error, dz_error)
        if (
            pt > LEAST_PT[collection]
            and abs(eta) < MOST_ETA[collection]
            and 0.0 <= iso < 0.4
            and error > 0.0
            and math.hypot(dxy, dz) / error < 4.0
            and abs(dxy) < 0.5
            and abs(dz) < 1.0
        ):
            energy = math.hypot(pt * math.cosh(eta), MASSES[collection])
            px, py, pz = pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(eta)
            good.append(Lepton(pt, charge, px, py, pz, energy))
    return sorted(good, key=lambda lepton: -lepton.pt)


def _same_flavour(four: list[Lepton]) -> bool:
    if sum(lepton.charge for lepton in four) != 0:
        return False
    pairs = [(a, b) for a in range(4) for b in range(a + 1, 4) if four[a].charge != four[b].charge]
    a, b = min(pairs, key=lambda pair: abs(_mass([four[pair[0]], four[pair[1]]]) - Z_MASS))
    return _passes([four[a], four[b]], [four[c] for c in range(4) if c not in (a, b)])


def _passes(first: list[Lepton], second: list[Lepton]) -> bool:
    if first[0].charge == first[1].charge or second[0].charge == second[1].charge:
        return False
    za, zb = sorted((first, second), key=lambda pair: abs(_mass(pair) - Z_MASS))
    low, high = sorted(lepton.pt for lepton in za)
    return (
        high > 20.0
        and low > 10.0
        and 40.0 < _mass(za) < 120.0
        and 12.0 < _mass(zb) < 120.0
        and _mass(za + zb) > 70.0
    )


def _mass(leptons: list[Lepton]) -> float:
    px, py, pz, energy = (sum(lepton[part] for lepton in leptons) for part in range(2, 6))
    return math.sqrt(max(energy**2 - px**2 - py**2 - pz**2, 0.0))

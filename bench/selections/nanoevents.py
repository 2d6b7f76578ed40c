"""coffea's way: NanoEvents, arrays of leptons that can be added."""

from collections.abc import Callable
from typing import Any

import awkward as ak
import numpy as np
from coffea.nanoevents import NanoAODSchema, NanoEventsFactory

from bench.selections import ISOLATION, LEAST_PT, MASSES, MOST_ETA, Z_MASS


def prepare(path: str) -> Callable[[], dict[str, int]]:
    """Return the work."""
    NanoAODSchema.warn_missing_crossrefs = False

    def work() -> dict[str, int]:
        events = NanoEventsFactory.from_root({path: "Events"}, schemaclass=NanoAODSchema).events()
        muons, electrons = _good(events.Muon, "Muon"), _good(events.Electron, "Electron")
        both = (ak.num(muons) >= 2) & (ak.num(electrons) >= 2)
        return {
            "4mu": _four_of_one_flavour(muons),
            "4e": _four_of_one_flavour(electrons),
            "2e2mu": _two_of_each(muons[both][:, :2], electrons[both][:, :2]),
        }

    return work


def _good(leptons: Any, collection: str) -> Any:
    impact = np.sqrt(leptons.dxy**2 + leptons.dz**2) / np.sqrt(leptons.dxyErr**2 + leptons.dzErr**2)
    iso = leptons[ISOLATION[collection]]
    good = leptons[
        (leptons.pt > LEAST_PT[collection])
        & (abs(leptons.eta) < MOST_ETA[collection])
        & (iso >= 0)
        & (iso < 0.4)
        & (impact < 4)
        & (abs(leptons.dxy) < 0.5)
        & (abs(leptons.dz) < 1)
    ]
    good = good[ak.argsort(good.pt, ascending=False)]
    columns = {name: good[name] for name in ("pt", "eta", "phi", "charge")}
    mass = ak.full_like(good.pt, MASSES[collection])
    return ak.zip({**columns, "mass": mass}, with_name="PtEtaPhiMCandidate", behavior=good.behavior)


def _four_of_one_flavour(leptons: Any) -> int:
    four = leptons[ak.num(leptons) >= 4][:, :4]
    four = four[ak.sum(four.charge, axis=1) == 0]
    if not len(four):
        return 0
    a, b = ak.unzip(ak.argcombinations(four, 2))
    pairs = four[a] + four[b]
    distance = ak.where(pairs.charge == 0, abs(pairs.mass - Z_MASS), np.inf)
    nearest = ak.argmin(distance, axis=1, keepdims=True)
    return _passing(four[a[nearest]], four[b[nearest]], four[a[5 - nearest]], four[b[5 - nearest]])


def _two_of_each(muons: Any, electrons: Any) -> int:
    opposite = (ak.sum(muons.charge, axis=1) == 0) & (ak.sum(electrons.charge, axis=1) == 0)
    muons, electrons = muons[opposite], electrons[opposite]
    if not len(muons):
        return 0
    masses = [(leptons[:, 0] + leptons[:, 1]).mass for leptons in (muons, electrons)]
    muons_are_a = abs(masses[0] - Z_MASS) <= abs(masses[1] - Z_MASS)
    selected = 0
    for za, zb, chosen in ((muons, electrons, muons_are_a), (electrons, muons, ~muons_are_a)):
        a, b = za[chosen], zb[chosen]
        selected += _passing(a[:, :1], a[:, 1:], b[:, :1], b[:, 1:])
    return selected


def _passing(a1: Any, a2: Any, b1: Any, b2: Any) -> int:
    za, zb = a1 + a2, b1 + b2
    passed = (
        (np.maximum(a1.pt, a2.pt) > 20)
        & (np.minimum(a1.pt, a2.pt) > 10)
        & (za.mass > 40)
        & (za.mass < 120)
        & (zb.mass > 12)
        & (zb.mass < 120)
        & ((za + zb).mass > 70)
    )
    return int(ak.sum(passed))

"""Toy models of the processes that give four leptons, tuned by eye to the published distributions.

Each makes the true leptons of `n` events after a generator-level filter on leptons; `generator.detector`
then measures them. Masses are in GeV.
"""

import numpy as np

from generator.kinematics import Floats, decay, system
from generator.leptons import ELECTRON, MUON, Integers, Leptons, concatenate, from_momenta

Z_MASS, Z_WIDTH = 91.1876, 2.4952
W_MASS, TOP_MASS, BOTTOM_MASS = 80.4, 172.5, 4.8
HIGGS_MASS = 125.0
_LEPTON_MASS = {MUON: 0.105658, ELECTRON: 0.0005109989}

FLAVOURS = {"4mu": (MUON, MUON), "4e": (ELECTRON, ELECTRON), "2e2mu": (MUON, ELECTRON)}
"""The flavours of the two pairs of each channel."""

_FLAVOUR_WEIGHT = {"4mu": 1.0, "4e": 1.0, "2e2mu": 2.0}
# Shares of the generated ZZ events: the Z -> 4l peak, the continuum up to both Z on shell, and above.
_ZZ_SHARES = (0.37, 0.33, 0.30)


def higgs(rng: np.random.Generator, n: int, channels: tuple[str, ...]) -> Leptons:
    """Make H -> ZZ* -> 4l at 125 GeV."""
    return four_leptons(rng, np.full(n, HIGGS_MASS), _pair_flavours(rng, n, channels), second=(2.2, 1.4))


def zz(rng: np.random.Generator, n: int, channels: tuple[str, ...]) -> Leptons:
    """Make Z/gamma* pairs: the Z -> 4l peak at 91 GeV, the continuum, and on-shell pairs above 180 GeV."""
    kind = rng.choice(3, n, p=_ZZ_SHARES)
    peak = _breit_wigner(rng, Z_MASS, Z_WIDTH, np.full(n, 76.0), np.full(n, 106.0))
    continuum = rng.uniform(80.0, 182.0, n)
    above = 182.0 + rng.exponential(45.0, n)
    return four_leptons(rng, np.choose(kind, [peak, continuum, above]), _pair_flavours(rng, n, channels))


def drell_yan(rng: np.random.Generator, n: int) -> Leptons:
    """Make Z/gamma* -> ll with two or more leptons that are not from the Z (in jets, or misidentified)."""
    z = _breit_wigner(rng, Z_MASS, Z_WIDTH, np.full(n, 50.0), np.full(n, 130.0))
    mass = np.where(rng.random(n) < 0.55, rng.uniform(15.0, 65.0, n), z)
    flavour = rng.choice([MUON, ELECTRON], (n, 1)).repeat(2, axis=1)
    pair = _pair(rng, system(rng, mass, 20.0, 1.2), mass, flavour[:, 0])
    return concatenate(
        from_momenta(flavour, _opposite(rng, n), pair), secondary(rng, n, 0.5, 25.0, at_least=2)
    )


def ttbar(rng: np.random.Generator, n: int) -> Leptons:
    """Make top pairs with both W -> l nu, and leptons from the b jets."""
    top = np.full(n, TOP_MASS)
    pair_mass = 2.0 * TOP_MASS + rng.gamma(2.0, 50.0, n)
    legs = decay(rng, system(rng, pair_mass, 40.0, 0.9), pair_mass, top, top)
    momenta = [_lepton_of_top(rng, leg, top) for leg in legs]
    flavour = rng.choice([MUON, ELECTRON], (n, 2))
    prompt = from_momenta(flavour, _opposite(rng, n), np.stack(momenta, axis=1))
    return concatenate(prompt, secondary(rng, n, 1.0, 12.0, at_least=2))


def dileptons(rng: np.random.Generator, n: int, flavour: int) -> Leptons:
    """Make what a double-lepton trigger mostly records: Z -> ll, rarely with a third lepton."""
    mass = _breit_wigner(rng, Z_MASS, Z_WIDTH, np.full(n, 40.0), np.full(n, 140.0))
    flavours = np.full((n, 2), flavour)
    pair = _pair(rng, system(rng, mass, 20.0, 1.2), mass, flavours[:, 0])
    return concatenate(from_momenta(flavours, _opposite(rng, n), pair), secondary(rng, n, 0.3, 8.0))


def four_leptons(
    rng: np.random.Generator, mass: Floats, flavours: Integers, second: tuple[float, float] = (1.1, 1.6)
) -> Leptons:
    """Decay systems of a given mass (n,) to two pairs of leptons of the given flavours (n, 2).

    Below the Z mass the heavier pair takes most of the mass; above, it is a Z. `second` are the parameters of
    the beta distribution of the second pair's mass between 4 GeV and what is left.
    """
    n = len(mass)
    heavy = _breit_wigner(rng, Z_MASS, Z_WIDTH, np.full(n, 40.0), np.minimum(mass - 6.0, 120.0))
    first = np.where(mass < 102.0, 40.0 + (mass - 46.0) * rng.beta(1.6, 1.2, n), heavy)
    rest = 4.0 + (mass - first - 4.0) * rng.beta(*second, n)
    both = _breit_wigner(rng, Z_MASS, Z_WIDTH, np.full(n, 40.0), np.clip(mass - first, 41.0, 120.0))
    other = np.where(mass > 182.0, np.minimum(both, mass - first - 1e-3), rest)
    legs = decay(rng, system(rng, mass, 25.0, 0.9), mass, first, other)
    order = np.where(rng.random(n) < 0.5, 0, 1)  # either flavour may be that of the heavier pair
    flavour = np.take_along_axis(flavours, np.stack([order, 1 - order], axis=1), axis=1)
    momenta = [
        _pair(rng, leg, m, flavour[:, i]) for i, (leg, m) in enumerate(zip(legs, (first, other), strict=True))
    ]
    charge = np.concatenate([_opposite(rng, n), _opposite(rng, n)], axis=1)
    return from_momenta(flavour.repeat(2, axis=1), charge, np.concatenate(momenta, axis=1))


def secondary(rng: np.random.Generator, n: int, mean: float, mean_pt: float, at_least: int = 0) -> Leptons:
    """Make leptons of jets: `at_least` + Poisson(`mean`) per event, with falling pT above 3 GeV."""
    event = np.repeat(np.arange(n), at_least + rng.poisson(mean, n))
    count = len(event)
    return Leptons(
        event,
        rng.choice([MUON, ELECTRON], count),
        rng.choice([-1, 1], count),
        3.0 + rng.exponential(mean_pt, count),
        rng.normal(0.0, 1.4, count),
        rng.uniform(-np.pi, np.pi, count),
        np.zeros(count, bool),
    )


def _pair_flavours(rng: np.random.Generator, n: int, channels: tuple[str, ...]) -> Integers:
    weights = np.array([_FLAVOUR_WEIGHT[channel] for channel in channels])
    chosen = rng.choice(len(channels), n, p=weights / weights.sum())
    return np.array([FLAVOURS[channel] for channel in channels])[chosen]


def _pair(rng: np.random.Generator, parent: Floats, mass: Floats, flavour: Integers) -> Floats:
    """Return momenta (n, 2, 4) of the lepton pairs to which parents (n, 4) of `mass` (n,) decay."""
    lepton = np.where(flavour == MUON, _LEPTON_MASS[MUON], _LEPTON_MASS[ELECTRON])
    return np.stack(decay(rng, parent, mass, lepton, lepton), axis=1)


def _lepton_of_top(rng: np.random.Generator, top: Floats, mass: Floats) -> Floats:
    w_mass = np.full(len(mass), W_MASS)
    w, _ = decay(rng, top, mass, w_mass, BOTTOM_MASS)
    lepton, _ = decay(rng, w, w_mass, _LEPTON_MASS[MUON], 0.0)
    return lepton


def _opposite(rng: np.random.Generator, n: int) -> Integers:
    sign = rng.choice([-1, 1], n)
    return np.stack([sign, -sign], axis=1)


def _breit_wigner(rng: np.random.Generator, mass: float, width: float, low: Floats, high: Floats) -> Floats:
    """Draw masses (n,) of a resonance between `low` and `high` (n,), by inverting the Cauchy distribution."""
    lower, upper = (np.arctan(2.0 * (edge - mass) / width) for edge in (low, high))
    return mass + width / 2.0 * np.tan(lower + (upper - lower) * rng.random(len(low)))

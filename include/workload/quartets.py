"""Four leptons that may come from two Z bosons: their momenta, pairs and masses, for many events at once."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from workload.events import Floats, Integers

CHANNELS = ("4mu", "4e", "2e2mu")
MUON_MASS = 0.105658
ELECTRON_MASS = 0.0005109989

SAME_FLAVOUR = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
"""Pairs of four leptons of one flavour; the pair at the mirrored position holds the other two leptons."""

TWO_FLAVOURS = ((0, 1), (2, 3))
"""Pairs of two muons and two electrons."""


class Candidates(NamedTuple):
    """Selected four-lepton systems: index of the event among those given, and mass in GeV."""

    event: Integers
    mass: Floats

    def where(self, mask: NDArray[np.bool_]) -> Self:
        """Return some of them."""
        return type(self)(self.event[mask], self.mass[mask])


class Quartets(NamedTuple):
    """Two or four leptons an event: `event` (n,), the rest (n, 4), momenta (n, 4, [px, py, pz, E]) in GeV."""

    event: Integers
    pt: Floats
    eta: Floats
    phi: Floats
    charge: Floats
    momentum: Floats

    @classmethod
    def of(
        cls, lepton_mass: float, event: Integers, pt: Floats, eta: Floats, phi: Floats, charge: Floats
    ) -> Self:
        """Compute the momenta of leptons of one flavour."""
        with np.errstate(over="ignore", invalid="ignore"):
            energy = np.hypot(pt * np.cosh(eta), lepton_mass)
            momentum = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), energy], axis=-1)
        return cls(event, pt, eta, phi, charge, momentum)

    def beside(self, other: Self) -> Self:
        """Return these leptons and, after them, those of the other flavour in the same events."""
        joined = (np.concatenate(pair, axis=1) for pair in zip(self[1:], other[1:], strict=True))
        return type(self)(self.event, *joined)

    @property
    def mass(self) -> Floats:
        """Return the mass of each event's leptons together."""
        return _mass(self.momentum.sum(axis=1))


class Pairing(NamedTuple):
    """The leptons of n quartets as two pairs each: positions (n, 2) of the leptons, and masses (n,) in GeV.

    The first pair is the one nearest to the Z boson; `opposite` says where it has opposite charges.
    """

    za: Integers
    zb: Integers
    mass_a: Floats
    mass_b: Floats
    opposite: NDArray[np.bool_]


def pair_up(
    leptons: Quartets, pairs: tuple[tuple[int, int], ...], z_mass: float, opposite_only: bool = True
) -> Pairing:
    """Pair leptons so that one pair, of opposite charge if `opposite_only`, is nearest to the Z mass."""
    first, second = np.array(pairs).T
    with np.errstate(invalid="ignore", over="ignore"):
        mass = _mass(leptons.momentum[:, first] + leptons.momentum[:, second])
        opposite = leptons.charge[:, first] * leptons.charge[:, second] < 0
        distance = np.abs(mass - z_mass)
    rows = np.arange(len(leptons.event))
    a = np.where(opposite, distance, np.inf).argmin(axis=1) if opposite_only else distance.argmin(axis=1)
    b = len(pairs) - 1 - a
    positions = np.array(pairs)
    return Pairing(positions[a], positions[b], mass[rows, a], mass[rows, b], opposite[rows, a])


def take(column: Floats, positions: Integers) -> Floats:
    """Take the values (n, 2) of a column (n, 4) at the positions (n, 2) of a pair."""
    return np.take_along_axis(column, positions, axis=1)


def in_windows(pairing: Pairing) -> NDArray[np.bool_]:
    """Mark the pairings with 40 < m(Za) < 120 GeV and 12 < m(Zb) < 120 GeV."""
    a, b = pairing.mass_a, pairing.mass_b
    return (a > 40.0) & (a < 120.0) & (b > 12.0) & (b < 120.0)


def _mass(momentum: Floats) -> Floats:
    """Return the invariant mass of four-momenta in the last axis; rounding below zero counts as zero."""
    space = (momentum[..., :3] ** 2).sum(axis=-1)
    mass: Floats = np.sqrt(np.maximum(momentum[..., 3] ** 2 - space, 0.0))
    return mass

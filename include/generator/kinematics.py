"""Relativistic two-body decays, vectorised.

Four-momenta are float64 arrays whose last axis is (px, py, pz, E) in GeV, with c = 1.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def system(rng: np.random.Generator, mass: Floats, mean_pt: float, rapidity_width: float) -> Floats:
    """Return four-momenta (n, 4) of systems of a given mass (n,) as hadron collisions make them.

    pT follows x exp(-x) with mean `mean_pt`, rapidity a Gaussian, the azimuth is uniform.
    """
    n = len(mass)
    pt = rng.gamma(2.0, mean_pt / 2.0, n)
    phi = rng.uniform(-np.pi, np.pi, n)
    rapidity = rng.normal(0.0, rapidity_width, n)
    transverse = np.hypot(mass, pt)
    return np.stack(
        [pt * np.cos(phi), pt * np.sin(phi), transverse * np.sinh(rapidity), transverse * np.cosh(rapidity)],
        axis=-1,
    )


def decay(
    rng: np.random.Generator, parent: Floats, mass: Floats, mass1: Floats | float, mass2: Floats | float
) -> tuple[Floats, Floats]:
    """Decay parents (n, 4) of `mass` (n,) isotropically into two bodies, and return their momenta (n, 4).

    Where `mass1 + mass2` exceeds `mass`, the bodies are at rest in the parent's frame.
    """
    term = (mass**2 - (mass1 + mass2) ** 2) * (mass**2 - (mass1 - mass2) ** 2)
    momentum = np.sqrt(np.maximum(term, 0.0)) / (2.0 * mass)
    cosine = rng.uniform(-1.0, 1.0, len(mass))
    phi = rng.uniform(-np.pi, np.pi, len(mass))
    sine = np.sqrt(1.0 - cosine**2)
    direction = np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine], axis=-1)
    energy = np.hypot(momentum, mass1)
    first = np.concatenate([momentum[:, None] * direction, energy[:, None]], axis=-1)
    boosted = boost(first, parent, mass)
    return boosted, parent - boosted


def boost(momentum: Floats, frame: Floats, mass: Floats) -> Floats:
    """Take momenta (n, 4) from the rest frame of `frame` (n, 4), of `mass` (n,), to the laboratory."""
    along = (momentum[:, :3] * frame[:, :3]).sum(axis=-1)
    energy = (momentum[:, 3] * frame[:, 3] + along) / mass
    factor = (momentum[:, 3] + energy) / (mass + frame[:, 3])
    return np.concatenate([momentum[:, :3] + factor[:, None] * frame[:, :3], energy[:, None]], axis=-1)

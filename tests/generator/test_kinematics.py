import numpy as np
import pytest

from generator.kinematics import Floats, boost, decay, system


def mass(momentum: Floats) -> Floats:
    squared = momentum[:, 3] ** 2 - (momentum[:, :3] ** 2).sum(axis=1)
    result: Floats = np.sqrt(np.maximum(squared, 0.0))
    return result


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture
def parents(rng: np.random.Generator) -> tuple[Floats, Floats]:
    masses = rng.uniform(80.0, 400.0, 5000)
    return system(rng, masses, mean_pt=25.0, rapidity_width=1.0), masses


def test_a_system_has_its_mass_and_the_mean_pt_asked_for(parents: tuple[Floats, Floats]) -> None:
    momentum, masses = parents
    assert mass(momentum) == pytest.approx(masses, rel=1e-6)
    assert np.hypot(momentum[:, 0], momentum[:, 1]).mean() == pytest.approx(25.0, rel=0.05)


def test_a_decay_conserves_momentum_and_gives_the_masses_asked_for(
    rng: np.random.Generator, parents: tuple[Floats, Floats]
) -> None:
    momentum, masses = parents
    first, second = decay(rng, momentum, masses, 30.0, 40.0)
    assert first + second == pytest.approx(momentum)
    assert mass(first) == pytest.approx(30.0, rel=1e-4)
    assert mass(second) == pytest.approx(40.0, rel=1e-4)


def test_a_decay_at_rest_is_isotropic(rng: np.random.Generator) -> None:
    n = 20_000
    at_rest = np.tile([0.0, 0.0, 0.0, 100.0], (n, 1))
    first, _ = decay(rng, at_rest, np.full(n, 100.0), 0.0, 0.0)
    direction = first[:, :3] / 50.0
    assert direction.mean(axis=0) == pytest.approx(0.0, abs=0.02)
    assert (direction**2).mean(axis=0) == pytest.approx(1 / 3, abs=0.02)


def test_a_body_at_rest_is_boosted_to_the_momentum_of_its_frame(parents: tuple[Floats, Floats]) -> None:
    momentum, masses = parents
    at_rest = np.zeros((len(masses), 4))
    at_rest[:, 3] = masses
    assert boost(at_rest, momentum, masses) == pytest.approx(momentum)

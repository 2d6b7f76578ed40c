"""The toy processes have the masses, charges and flavours they are named for."""

import numpy as np
import pytest

from generator.kinematics import Floats
from generator.leptons import ELECTRON, MUON, Leptons
from generator.processes import dileptons, drell_yan, four_leptons, higgs, ttbar, zz

N = 4000
ALL = ("4mu", "4e", "2e2mu")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def event_masses(leptons: Leptons) -> Floats:
    total = np.zeros((leptons.event.max() + 1, 4))
    pt, eta, phi = leptons.pt, leptons.eta, leptons.phi
    energy = np.hypot(pt * np.cosh(eta), np.where(leptons.flavour == MUON, 0.105658, 0.0005109989))
    rows = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), energy], axis=1)
    np.add.at(total, leptons.event, rows)
    result: Floats = np.sqrt(total[:, 3] ** 2 - (total[:, :3] ** 2).sum(axis=1))
    return result


def muons_per_event(leptons: Leptons) -> list[int]:
    counts = np.bincount(leptons.event[leptons.flavour == MUON], minlength=leptons.event.max() + 1)
    return sorted(set(counts.tolist()))


def test_every_higgs_boson_has_125_gev_and_four_leptons_of_charge_zero(rng: np.random.Generator) -> None:
    leptons = higgs(rng, N, ALL)
    assert event_masses(leptons) == pytest.approx(125.0, abs=1e-3)
    assert np.bincount(leptons.event).tolist() == [4] * N
    assert np.bincount(leptons.event, leptons.charge).tolist() == [0.0] * N
    assert muons_per_event(leptons) == [0, 2, 4]


@pytest.mark.parametrize(("channel", "muons"), [("4mu", 4), ("4e", 0), ("2e2mu", 2)])
def test_a_channel_has_its_flavours_only(rng: np.random.Generator, channel: str, muons: int) -> None:
    assert muons_per_event(zz(rng, N, (channel,))) == [muons]


def test_half_of_the_events_of_all_channels_are_2e2mu(rng: np.random.Generator) -> None:
    leptons = higgs(rng, N, ALL)
    muons = np.bincount(leptons.event[leptons.flavour == MUON], minlength=N)
    assert [(muons == n).mean() for n in (4, 2, 0)] == pytest.approx([0.25, 0.5, 0.25], abs=0.03)


def test_zz_has_a_peak_at_the_z_mass_a_gap_and_a_rise_at_twice_it(rng: np.random.Generator) -> None:
    masses = event_masses(zz(rng, 20_000, ALL))
    peak, gap, valley, rise = (((masses >= low) & (masses < low + 6)).sum() for low in (88, 104, 170, 184))
    assert peak > 10 * gap
    assert rise > 1.2 * valley


@pytest.mark.parametrize("wanted", [81.5, 95.0, 101.9, 102.1, 130.0, 181.9, 182.1, 250.0])
def test_four_leptons_can_have_any_mass(rng: np.random.Generator, wanted: float) -> None:
    flavours = np.tile([MUON, ELECTRON], (N, 1))
    leptons = four_leptons(rng, np.full(N, wanted), flavours)
    assert event_masses(leptons) == pytest.approx(wanted, abs=1e-3)
    assert np.isfinite(leptons.pt).all()


def test_drell_yan_has_one_prompt_pair_and_at_least_two_other_leptons(rng: np.random.Generator) -> None:
    leptons = drell_yan(rng, N)
    prompt = leptons.where(leptons.prompt)
    assert np.bincount(prompt.event).tolist() == [2] * N
    assert np.bincount(prompt.event, prompt.charge).tolist() == [0.0] * N
    assert np.bincount(leptons.event[~leptons.prompt], minlength=N).min() == 2


def test_top_pairs_have_leptons_of_both_flavours(rng: np.random.Generator) -> None:
    leptons = ttbar(rng, N)
    prompt = leptons.where(leptons.prompt)
    assert muons_per_event(prompt) == [0, 1, 2]
    assert np.bincount(prompt.event, prompt.charge).tolist() == [0.0] * N


def test_a_trigger_records_pairs_of_its_own_flavour(rng: np.random.Generator) -> None:
    for flavour in (MUON, ELECTRON):
        leptons = dileptons(rng, N, flavour)
        assert set(leptons.flavour[leptons.prompt].tolist()) == {flavour}

"""Where the outreach example's rules differ from level 4; `test_rdataframe` compares them all with ROOT."""

from collections.abc import Callable

import numpy as np
import pytest

from lepton_events import Lepton, collections, off_z, on_z, pair
from workload import outreach, selection

Change = Callable[[Lepton], Lepton]


def channels(muons: list[Lepton], electrons: list[Lepton], rules: object = outreach) -> list[str]:
    candidates = rules.select(*collections([(muons, electrons)]))  # type: ignore[attr-defined]
    return sorted(channel for channel, found in candidates.items() if len(found.mass))


def test_each_channel_gives_the_mass_of_the_four() -> None:
    four = on_z() + off_z()
    for muons, electrons, channel in ((four, [], "4mu"), ([], four, "4e"), (on_z(), off_z(), "2e2mu")):
        found = outreach.select(*collections([([], []), (muons, electrons)]))
        assert found[channel].event.tolist() == [1]
        assert found[channel].mass.tolist() == pytest.approx([121.2], abs=1e-2)


BAD: list[Change] = [
    lambda lepton: lepton._replace(iso=0.4),
    lambda lepton: lepton._replace(iso=-999.0),
    lambda lepton: lepton._replace(dxy=0.06),
    lambda lepton: lepton._replace(dxy=0.5, dxyErr=1.0),
    lambda lepton: lepton._replace(dz=1.0, dzErr=1.0),
    lambda lepton: lepton._replace(eta=2.5),
    lambda lepton: lepton._replace(pt=np.nan),
]


@pytest.mark.parametrize("change", BAD)
def test_one_bad_lepton_more_rejects_an_event_that_level_4_keeps(change: Change) -> None:
    bad = change(Lepton(9.0, 1.0, 2.0, +1))
    assert channels([*on_z(), *off_z(), bad], [], selection) == ["4mu"]
    assert channels([*on_z(), *off_z(), bad], []) == []
    neutral = [bad, bad._replace(charge=-1)]
    assert channels([*on_z(), *neutral], off_z(), selection) == ["2e2mu"]
    assert channels([*on_z(), *neutral], off_z()) == []


def test_a_fifth_good_lepton_rejects_an_event() -> None:
    assert channels([*on_z(), *off_z(), Lepton(9.0, 1.0, 2.0, +1)], [], selection) == ["4mu"]
    assert channels([*on_z(), *off_z(), Lepton(9.0, 1.0, 2.0, +1)], []) == []


def test_four_leptons_are_neutral_together() -> None:
    first, *rest = on_z() + off_z()
    assert channels([first._replace(charge=-first.charge), *rest], []) == []


def test_2e2mu_takes_the_first_two_of_each_and_asks_for_neutral_flavours() -> None:
    more = [Lepton(9.0, 1.0, 2.0, +1), Lepton(9.0, -1.0, -2.0, -1)]
    assert "2e2mu" in channels(on_z() + more, off_z())
    assert "2e2mu" not in channels(more + on_z(), off_z())  # the first two have a mass of no Z boson
    assert channels([*on_z(), more[0]], off_z()) == []


def test_soft_leptons_are_let_through_in_2e2mu_alone() -> None:
    low = pair(12.5, 6.26, np.pi / 2)
    assert channels(on_z(), low) == ["2e2mu"]
    assert channels(on_z(), low, selection) == []
    assert channels([], on_z() + low) == []


def test_2e2mu_asks_for_a_lepton_above_20_and_one_above_10_gev_of_one_flavour() -> None:
    def slow(pt: float) -> list[Lepton]:
        return [Lepton(pt, 1.6, 0.0, +1), Lepton(pt, -1.6, np.pi, -1)]

    assert channels(slow(20.01), slow(11.0)) == ["2e2mu"]
    assert channels(slow(11.0), slow(20.01)) == ["2e2mu"]
    assert channels(slow(19.99), slow(11.0)) == []


def test_4mu_asks_for_no_leading_lepton() -> None:
    soft = [Lepton(18.0, 1.55, 0.0, +1), Lepton(18.0, -1.55, np.pi, -1)]
    assert channels(soft + off_z(), [], selection) == []
    assert channels(soft + off_z(), []) == ["4mu"]


@pytest.mark.parametrize(("distance", "passes"), [(0.0199, False), (0.0201, True)])
def test_the_leptons_of_a_pair_are_apart(distance: float, passes: bool) -> None:
    close = [Lepton(700.0, 0.0, np.pi - distance / 2, +1), Lepton(700.0, 0.0, -np.pi + distance / 2, -1)]
    assert (channels(on_z(), close) == ["2e2mu"]) == passes
    assert channels(on_z(), close, selection) == ["2e2mu"]

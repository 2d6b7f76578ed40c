"""Every cut of the level-4 selection, probed on both sides of its threshold."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_events import FIELDS, TOLD_MORE, Event, Lepton, collections, off_z, on_z, pair, write_full
from reference_selection import is_good, is_good_in_v9, select_event
from workload.events import Leptons, Wanted, read_events
from workload.rules import RULES
from workload.selection import CHANNELS, select

ALL_TOLD_MORE = [*TOLD_MORE, "sip3d", "identified"]


def above(value: float) -> float:
    return float(np.nextafter(value, np.inf))


def below(value: float) -> float:
    return float(np.nextafter(value, -np.inf))


def selected(muons: list[Lepton], electrons: list[Lepton]) -> dict[str, float]:
    candidates = select(*collections([(muons, electrons)]))
    return {channel: float(mass) for channel in CHANNELS for mass in candidates[channel].mass}


def channels(muons: list[Lepton], electrons: list[Lepton]) -> list[str]:
    return sorted(selected(muons, electrons))


def test_each_channel_takes_its_own_flavours_and_gives_the_mass_of_the_four() -> None:
    four = on_z() + off_z()
    assert selected(four, []) == {"4mu": pytest.approx(121.2, abs=1e-2)}
    assert selected([], four) == {"4e": pytest.approx(121.2, abs=1e-6)}
    assert selected(on_z(), off_z()) == {"2e2mu": pytest.approx(121.2, abs=1e-2)}
    assert selected(off_z(), on_z()) == {"2e2mu": pytest.approx(121.2, abs=1e-2)}


def test_no_event_and_events_without_leptons_give_nothing() -> None:
    some: list[list[Event]] = [[], [([], [])], [([], []), (on_z(), [])]]
    for events in some:
        candidates = select(*collections(events))
        assert {channel: found.mass.tolist() for channel, found in candidates.items()} == {
            channel: [] for channel in CHANNELS
        }


def test_candidates_name_the_event_they_come_from() -> None:
    good: Event = (on_z() + off_z(), [])
    candidates = select(*collections([([], []), good, (on_z(), []), good]))
    assert candidates["4mu"].event.tolist() == [1, 3]


FAR = dict(dxy=-999.0, dz=-999.0, dxyErr=-999.0, dzErr=-999.0)
GOOD_LEPTON_CUTS: list[tuple[str, dict[str, float], dict[str, float]]] = [
    ("mu", dict(pt=5.0), dict(pt=above(5.0))),
    ("e", dict(pt=7.0), dict(pt=above(7.0))),
    *(
        (flavour, dict(eta=sign * eta), dict(eta=sign * below(eta)))
        for flavour, eta in (("mu", 2.4), ("e", 2.5))
        for sign in (1, -1)
    ),
    *(
        (flavour, dict(iso=fails), dict(iso=passes))
        for flavour in ("mu", "e")
        for fails, passes in ((0.4, below(0.4)), (below(0.0), 0.0), (-999.0, 0.0))
    ),
    *(("mu", dict(dxy=sign * 0.5), dict(dxy=sign * below(0.5))) for sign in (1, -1)),
    *(("mu", dict(dz=sign * 1.0), dict(dz=sign * below(1.0))) for sign in (1, -1)),
    ("mu", FAR, dict()),  # without a track
    ("mu", dict(dxyErr=0.0, dzErr=0.0), dict(dxyErr=1e-9, dzErr=0.0)),
    # The significance of the impact parameter is its length over its error: 0.2 / 0.05.
    (
        "mu",
        dict(dxy=0.12, dz=0.16, dxyErr=0.03, dzErr=0.04),
        dict(dxy=0.12, dz=0.1599, dxyErr=0.03, dzErr=0.04),
    ),
]


@pytest.mark.parametrize(("flavour", "fails", "passes"), GOOD_LEPTON_CUTS)
def test_a_lepton_just_beyond_a_cut_does_not_count_and_one_just_within_does(
    flavour: str, fails: dict[str, float], passes: dict[str, float]
) -> None:
    def found(change: dict[str, float]) -> list[str]:
        *rest, last = on_z() + off_z()
        partner = rest.pop()._replace(pt=60.0)  # keeps the second pair's mass above its cut
        four = [*rest, partner, last._replace(**dict(dxyErr=1.0, dzErr=1.0) | change)]
        return channels(four, []) if flavour == "mu" else channels([], four)

    assert found(fails) == []
    assert found(passes) == ["4mu" if flavour == "mu" else "4e"]


@pytest.mark.parametrize("field", [field for field in FIELDS if field != "charge"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_leptons_with_values_that_are_no_numbers_never_count(field: str, value: float) -> None:
    first, *rest = on_z() + off_z()
    assert channels([first._replace(**{field: value}), *rest], []) == []


@pytest.mark.parametrize(
    "change",
    [dict(iso=0.5), *({field: v} for field in ("pt", "phi", "dxyErr") for v in (np.nan, np.inf))],
    ids=str,
)
def test_a_lepton_that_is_not_good_displaces_none_that_is(change: dict[str, float]) -> None:
    assert channels([Lepton(90.0, 0.0, 1.0, +1)._replace(**change), *on_z(), *off_z()], []) == ["4mu"]


def test_values_too_large_to_square_select_nothing_and_do_not_fail() -> None:
    first, *rest = on_z() + off_z()
    assert channels([first._replace(pt=1e200), *rest], []) == []


def back_to_back(first: float, second: float, eta: float = 0.0) -> list[Lepton]:
    """Two leptons of these pT: of 20 and 20 at eta 1.45 the mass is 20 x 2 cosh(1.45) = 90 GeV."""
    return [Lepton(first, eta, 0.0, +1), Lepton(second, -eta, np.pi, -1)]


MASSES = {
    **{(39.99, 35.0): False, (40.01, 35.0): True, (119.99, 121.0): False, (119.99, 10.0): False},
    **{(119.99, 60.0): True, (120.01, 50.0): False, (91.2, 11.99): False, (91.2, 12.01): True},
    **{(91.2, 119.99): True, (91.2, 120.01): False},
}
CUTS_OF_PAIRS = [
    *((pair(a, 61.0), pair(b, 61.0, np.pi), passes) for (a, b), passes in MASSES.items()),
    # The softer lepton of Za is above 10 GeV, the harder one above 20.
    (back_to_back(20.0, 100.0), off_z(), True),
    (back_to_back(10.0, 200.0), off_z(), False),
    (back_to_back(above(10.0), 200.0), off_z(), True),
    (back_to_back(20.0, 20.0, 1.45), off_z(), False),
    (back_to_back(above(20.0), 20.0, 1.45), off_z(), True),
    # The four together are above 70 GeV: all at rest, so that the masses add up.
    (pair(45.0, 22.5), pair(24.99, 24.99 / 2, np.pi / 2), False),
    (pair(45.0, 22.5), pair(25.01, 25.01 / 2, np.pi / 2), True),
]


@pytest.mark.parametrize(("za", "zb", "passes"), CUTS_OF_PAIRS)
def test_pairs_are_taken_within_their_cuts(za: list[Lepton], zb: list[Lepton], passes: bool) -> None:
    assert (channels(za, zb) == ["2e2mu"]) == passes


leptons = st.builds(
    Lepton,
    pt=st.floats(4, 80),
    eta=st.floats(-2.6, 2.6),
    phi=st.floats(-3.14, 3.14),
    charge=st.sampled_from([-1, 1]),
    iso=st.sampled_from([0.0, 0.1, 0.2, 0.39, 0.41]),
    dxy=st.sampled_from([0.0, 0.01, -0.03]),
    dz=st.sampled_from([0.0, 0.01, -0.05]),
    dxyErr=st.sampled_from([0.0, 0.01, 2.0]),  # the squares of tiny numbers are 0
    dzErr=st.sampled_from([0.0, 0.01, 2.0]),
    **{name: st.just(Lepton._field_defaults[name]) for name in ALL_TOLD_MORE},
)
some_leptons = st.lists(leptons, max_size=6, unique_by=lambda lepton: lepton.pt)
random_events = st.lists(st.tuples(some_leptons, some_leptons), max_size=4)


def found_in_each(
    events: list[Event], leptons: tuple[Leptons, Leptons] | None = None, rules: str = "level4"
) -> list[dict[str, float]]:
    """Return what the vectorised selection finds, event by event."""
    found: list[dict[str, float]] = [{} for _ in events]
    for channel, (event, mass) in select(*(leptons or collections(events)), RULES[rules]).items():
        for i, m in zip(event, mass, strict=True):
            found[i][channel] = float(m)
    return found


@given(random_events)
@settings(max_examples=40)
def test_agrees_event_by_event_with_the_rules_in_plain_python(events: list[Event]) -> None:
    assert found_in_each(events) == [pytest.approx(select_event(event), rel=1e-6) for event in events]


def test_agrees_with_the_rules_in_plain_python_on_many_events_that_are_selected() -> None:
    events = four_lepton_events(np.random.default_rng(7), 3000)
    expected = [select_event(event) for event in events]
    assert found_in_each(events) == [pytest.approx(masses, rel=1e-6) for masses in expected]
    assert all(sum(channel in masses for masses in expected) > 100 for channel in CHANNELS)


def four_lepton_events(rng: np.random.Generator, n: int) -> list[Event]:
    """Events of four to six leptons that are mostly good, of one flavour or of both."""

    def leptons_of(count: int) -> list[Lepton]:
        return [
            Lepton(
                pt=4 + rng.exponential(25),
                eta=rng.normal(0, 1.2),
                phi=rng.uniform(-np.pi, np.pi),
                charge=int(rng.choice([-1, 1])),
                iso=rng.exponential(0.1),
                dxy=rng.normal(0, 0.015),
                dz=rng.normal(0, 0.015),
            )
            for _ in range(count)
        ]

    counts = [(4, 0), (5, 0), (0, 4), (0, 6), (2, 2), (3, 3), (4, 4)]
    return [(leptons_of(muons), leptons_of(electrons)) for muons, electrons in rng.choice(counts, n)]


def told_more(rng: np.random.Generator, leptons: list[Lepton]) -> list[Lepton]:
    """Return the same leptons, as exact as a file has them, with what full NanoAOD tells of them."""
    return [
        Lepton(*(float(np.float32(value)) for value in lepton))._replace(
            isGlobal=bool(rng.random() < 0.95),
            isPFcand=bool(rng.random() < 0.95),
            lostHits=int(rng.choice([0, 1, 2], p=[0.8, 0.15, 0.05])),
            deltaEtaSC=float(np.float32(rng.normal(0, 0.3))),
            sip3d=float(np.float32(rng.exponential(1.5))),
            identified=bool(rng.random() < 0.95),
        )
        for lepton in leptons
    ]


@pytest.mark.parametrize(
    ("rules", "is_good", "field"),
    [
        *(("level4", is_good, field) for field in TOLD_MORE),
        *(("nanoaod-v9", is_good_in_v9, field) for field in ("sip3d", "identified", *TOLD_MORE[2:])),
    ],
)
def test_agrees_with_the_rules_in_plain_python_on_files_that_tell_more(
    rules: str, is_good: Callable[[Lepton, str], bool], field: str, tmp_path: Path
) -> None:
    """One field at a time says something: each of them rejects events that the others would keep."""
    rng = np.random.default_rng(11)

    def silent(event: Event, but: str = "") -> Event:
        values = {name: Lepton._field_defaults[name] for name in ALL_TOLD_MORE if name != but}
        muons, electrons = ([lepton._replace(**values) for lepton in leptons] for leptons in event)
        return muons, electrons

    told = [(told_more(rng, m), told_more(rng, e)) for m, e in four_lepton_events(rng, 1000)]
    events = [silent(event, but=field) for event in told]
    write_full(tmp_path / "full.root", events, [1.0] * len(events))
    (read,) = read_events(tmp_path / "full.root", "full.root", wanted=Wanted(RULES[rules]))
    expected = [select_event(event, is_good) for event in events]
    assert found_in_each(events, (read.muons, read.electrons), rules) == [
        pytest.approx(masses, rel=1e-6) for masses in expected
    ]
    assert expected != [select_event(silent(event), is_good) for event in told]

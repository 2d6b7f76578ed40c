"""An event of data that two datasets, or two files, have counts once, in all that is made of the results."""

import resource
from collections import Counter
from multiprocessing import get_context
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from higgsdemo.catalogue import Channel
from higgsdemo.results.candidates import SHOWN, Candidates
from higgsdemo.results.document import CHANNELS, MOST_CANDIDATES, bin_of
from higgsdemo.results.parsing import parse_result
from result_documents import catalogue, merged, named, recorded, sample

FILLED: dict[str, tuple[Channel, ...]] = {"mu": ("4mu", "2e2mu"), "el": ("4e", "2e2mu"), "muel": ("2e2mu",)}
KNOWN = catalogue(*(sample(name, "data", channels=channels) for name, channels in FILLED.items()))
EVENTS = st.tuples(
    st.sampled_from(CHANNELS),
    st.integers(1, 2),
    st.just(7),
    st.integers(1, 4),
    st.sampled_from([91.0, 125.0]),
)
FILES = st.dictionaries(
    st.tuples(st.sampled_from(["MU", "EL", "MUEL", "UNKNOWN"]), st.sampled_from("xyz")),
    st.none() | st.lists(EVENTS, max_size=6),
)


@given(FILES, st.randoms(use_true_random=False))
def test_each_event_counts_once_in_each_channel_whatever_the_order(
    files: dict[tuple[str, str], list[Any] | None], random: Any
) -> None:
    kept: dict[tuple[Any, ...], tuple[str, float]] = {}
    expected = Counter[tuple[str, str, int]]()
    for (dataset, _), events in files.items():
        for channel, run, _, event, mass in events or ():
            if channel in FILLED.get(dataset.lower(), ()):
                one = channel, run, event
                kept[one] = min(kept.get(one, (dataset, mass)), (dataset, mass))
    for (channel, _, _), (dataset, mass) in kept.items():
        expected[dataset, channel, bin_of(mass)] += 1
    objects = [named(*place, events) for place, events in files.items()]
    random.shuffle(objects)
    merge = merged(objects)
    assert merge.corrupt == {}
    sums = merge.candidates.once(merge.datasets, KNOWN)
    found = {
        (name.upper(), channel, bin): int(number)
        for name, channels in FILLED.items()
        for channel in channels
        if (total := sums.get(name.upper()))
        for bin, number in enumerate(total.counts[channel])
        if number
    }
    assert found == expected
    for name, total in sums.items():
        assert (total.processed, total.shards) == (
            merge.datasets[name].processed,
            merge.datasets[name].shards,
        )
        for channel, counts in total.counts.items():
            assert total.weights.sums[channel].tolist() == total.weights.squares[channel].tolist()
            assert total.weights.sums[channel].tolist() == counts.tolist()
    table = merge.candidates.table(KNOWN)
    assert table.events == len(kept)
    assert [(channel, run, event) for run, _, event, channel, *_ in table.shown] == sorted(
        kept, key=lambda one: (one[1], 7, one[2], one[0])
    )


def test_results_that_do_not_name_their_events_count_as_before_and_are_told() -> None:
    shared = ("2e2mu", 1, 7, 42, 125.2)
    older = recorded("EL", "x", 10, {"2e2mu": {18: 3}, "4mu": {0: 5}})  # of another version, or image
    merge = merged([named("MU", "x", [shared]), older])
    assert merge.candidates.once(merge.datasets, KNOWN)["EL"].counts["2e2mu"][18] == 3
    table = merge.candidates.table(KNOWN)
    assert (table.events, table.repeated, table.unnamed) == (1, 0, 3)
    assert table.told == [
        "3 events of data not named by their results: one that two datasets share counts twice"
    ]


def grow(results: int) -> int:
    """Return by how many bytes the memory of a process grows while so many full results are merged."""
    found = Candidates()
    full = parse_result(*named("MU", "x", [("4mu", 1, 1, event, 91.0) for event in range(MOST_CANDIDATES)]))
    found.add("MU", full)
    found.table(KNOWN)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(results):
        found.add("MU", full)
    table = found.table(KNOWN)
    assert (table.events, table.repeated) == (MOST_CANDIDATES, results * MOST_CANDIDATES)
    assert len(table.shown) == SHOWN
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10


def test_memory_does_not_grow_with_the_candidates() -> None:
    """300 results with as many candidates as they may have are 600,000: 25 MB in the smallest form."""
    with get_context("spawn").Pool(1) as pool:
        assert pool.apply(grow, [300]) < 12e6


@pytest.mark.parametrize("mass", [70.0, 72.999999999999986, 73.0, 124.2, 178.0, 180.99999999999997])
def test_a_mass_is_in_the_bin_that_the_workload_counts_it_in(mass: float) -> None:
    import numpy as np

    from workload.histogram import histogram

    assert histogram(np.array([mass])).nonzero()[0].tolist() == [bin_of(mass)]

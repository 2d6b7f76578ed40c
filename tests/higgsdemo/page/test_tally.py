"""Running sums give what a merge of the same results gives, and look at each result once."""

from __future__ import annotations

import numpy as np

from higgsdemo.datasets.expected import ExpectedShards
from higgsdemo.page.tally import Tally
from higgsdemo.results.merge import Merge
from higgsdemo.storage.object_store import StoredObject
from result_documents import stored

EXPECTED = ExpectedShards()
EXPECTED.clusters = {"here": {"A": {"one": None, "two": None, "part": (10, 30)}, "B": {"one": None}}}


LUMI = {"stream": "mu_stream_2012", "value": 2.5}
SECONDS = {"stage_in": 1.5, "compute": 2.0}
RESULTS = [
    stored("A", "one", processed=10, counts={"4mu": {3: 2}}, bytes=100, seconds=SECONDS, lumi=LUMI),
    stored("A", "two", processed=20, counts={"4e": {4: 1}}, lumi=LUMI),
    stored("B", "one", processed=0, test_mode=True),
]


def tally(*results: tuple[str, bytes]) -> Tally:
    made = Tally(EXPECTED)
    for key, raw in results:
        made.add(key, raw)
    return made


def test_the_sums_are_those_of_a_merge() -> None:
    sums, merged = tally(*RESULTS).datasets, Merge.of(RESULTS).datasets
    assert sums.keys() == merged.keys()
    for name, expected in merged.items():
        found = sums[name]
        for channel, counts in expected.counts.items():
            np.testing.assert_array_equal(found.counts[channel], counts)
        assert (found.shards, found.computed, found.processed, found.bytes) == (
            expected.shards,
            expected.computed,
            expected.processed,
            expected.bytes,
        )
        assert (found.luminosity, found.seconds) == (expected.luminosity, expected.seconds)


def test_a_result_that_comes_twice_is_counted_once() -> None:
    once = tally(*RESULTS)
    again = tally(*RESULTS, *reversed(RESULTS))
    assert again.read == once.read == 3
    assert again.datasets["A"].processed == 30


def test_only_what_is_not_counted_yet_is_read() -> None:
    found = [StoredObject(key, len(raw)) for key, raw in RESULTS]
    assert Tally(EXPECTED).unread(found) == [key for key, _ in RESULTS]
    assert tally(*RESULTS[:2]).unread(found) == [RESULTS[2][0]]


def test_results_of_other_shards_are_not_read() -> None:
    strange = ["results/A/three.json", "results/C/one.json", "results/A/more/one.json", "results/A/one.txt"]
    assert Tally(EXPECTED).unread([StoredObject(key, 500) for key in strange]) == []


def test_the_result_of_a_part_of_a_file_says_which() -> None:
    whole, part = stored("A", "part", 40), stored("A", "part", 20, entries=[10, 30])
    assert list(tally(whole).refused) == [whole[0]]
    assert tally(part).datasets["A"].processed == 20


def test_what_is_no_result_is_refused_with_its_reason_and_read_again_when_it_has_changed() -> None:
    key = "results/A/one.json"
    made = tally((key, b"[]"))
    assert made.refused == {key: f"{key}: not a JSON object"}
    assert made.unread([StoredObject(key, 2)]) == []
    assert made.unread([StoredObject(key, 500)]) == [key]
    made.add(key, RESULTS[0][1])
    assert (made.refused, made.shards("A")) == ({}, 1)


def test_when_shards_were_finished_is_kept_by_dataset() -> None:
    key, raw = stored("A", "one", finished="2026-01-02T03:04:05Z")
    assert tally((key, raw)).finished("A").tolist() == [1767323045.0]
    assert tally().finished("A").tolist() == []

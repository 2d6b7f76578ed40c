"""Every shard's result counts once, whatever order or repeats the results come in."""

import gzip
import json
import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from higgsdemo.results import merge as merge_module
from higgsdemo.results.document import ResultError
from higgsdemo.results.merge import Merge
from higgsdemo.run_folder import locate
from result_documents import document, histogram, stored


def weights(processed: float, bin: int, weight: float) -> dict[str, Any]:
    """The weights of a document with one event in a bin of 2e2mu."""
    nothing = {channel: [0.0] * 37 for channel in ("4mu", "4e")}
    return {
        "processed": processed,
        "sums": nothing | {"2e2mu": [weight * (i == bin) for i in range(37)]},
        "squares": nothing | {"2e2mu": [weight**2 * (i == bin) for i in range(37)]},
    }


SECONDS = st.floats(0, 1e6)
RESULTS = st.lists(
    st.builds(
        lambda dataset, shard, count, bin, lumi, seconds, weight, test_mode: stored(
            dataset,
            shard,
            0 if test_mode else 10 * count,
            None if test_mode else {"4mu": {bin: count}, "2e2mu": {36 - bin: count}},
            lumi=lumi and {"stream": f"stream_{dataset}", "value": lumi},
            seconds={"stage_in": seconds, "compute": seconds / 3},
            bytes=count,
            weights=None if weight is None or test_mode else weights(10 * count * weight, bin, weight),
            test_mode=test_mode,
        ),
        st.sampled_from(["A", "B"]),
        st.sampled_from(["x", "y", "z", "u", "v"]),
        st.integers(0, 10**9),
        st.integers(0, 36),
        st.none() | st.floats(1e-3, 1e12),
        SECONDS,
        st.none() | st.floats(-10, 10),
        st.booleans(),
    ),
    max_size=12,
    unique_by=lambda result: result[0],
)
OBJECTS = st.lists(
    st.tuples(st.sampled_from(["r/A/w.json", "r/C/x.json", "nowhere"]), st.sampled_from([b"", b"{}", b"{"])),
    max_size=3,
    unique_by=lambda found: found[0],
).flatmap(lambda bad: RESULTS.map(lambda good: good + bad))


def bits(merge: Merge) -> str:
    """All that a merge gives, with floats to the last bit."""
    sums = {
        name: (s.shards, s.computed, s.processed, s.bytes, {c: n.tolist() for c, n in s.counts.items()})
        for name, s in merge.datasets.items()
    }
    floats = {
        name: [value.hex() for value in (*s.seconds.values(), *s.luminosity.values())]
        for name, s in merge.datasets.items()
    }
    names = {name: sorted(shards) for name, shards in merge.shards.items()}
    weighted = {
        name: [
            s.weights.processed.hex(),
            *(
                v.hex()
                for part in (s.weights.sums, s.weights.squares)
                for values in part.values()
                for v in values.tolist()
            ),
        ]
        for name, s in merge.datasets.items()
    }
    return json.dumps([sums, floats, weighted, names, merge.corrupt, merge.to_bytes().hex()])


@given(OBJECTS, st.randoms(use_true_random=False))
def test_order_and_repeats_change_nothing(objects: list[tuple[str, bytes]], random: Any) -> None:
    shuffled = objects + random.choices(objects, k=len(objects)) if objects else []
    random.shuffle(shuffled)
    assert bits(Merge.of(shuffled)) == bits(Merge.of(objects))


@given(RESULTS)
def test_a_merge_is_read_again_as_it_was_saved(results: list[tuple[str, bytes]]) -> None:
    merge = Merge.of(results)
    assert bits(Merge.from_bytes(merge.to_bytes())) == bits(merge)


def test_the_sums_of_a_dataset() -> None:
    mu = {"stream": "mu_stream_2012", "value": 0.1}
    merge = Merge.of(
        [
            stored(
                "A",
                "x",
                10,
                {"4mu": {0: 1, 18: 2}},
                lumi=mu,
                bytes=5,
                seconds={"stage_in": 0.1, "compute": 1},
            ),
            stored(
                "A", "y", 20, {"4mu": {18: 3}, "4e": {36: 4}}, lumi=mu, bytes=6, seconds={"stage_in": 0.2}
            ),
            stored("A", "z", 0, lumi=mu, bytes=7, seconds={"stage_in": 0.3}, test_mode=True),
            stored("B", "x", 1),
        ]
    )
    a = merge.datasets["A"]
    assert (a.shards, a.computed, a.processed, a.bytes) == (3, 2, 30, 18)
    assert a.luminosity == {"mu_stream_2012": 0.2}
    assert a.seconds == {"stage_in": math.fsum([0.1, 0.2, 0.3]), "compute": 1.0}
    assert {channel: counts.tolist() for channel, counts in a.counts.items()} == {
        "4mu": histogram({0: 1, 18: 5}),
        "4e": histogram({36: 4}),
        "2e2mu": histogram(),
    }
    assert all(counts.dtype == np.int64 for counts in a.counts.values())
    assert (merge.datasets["B"].shards, merge.datasets["B"].processed) == (1, 1)


def test_sums_of_seconds_and_luminosity_are_rounded_once() -> None:
    """Ten times 0.1 added up one by one is 0.9999999999999999."""
    tenth = {"lumi": {"stream": "mu", "value": 0.1}, "seconds": {"stage_in": 0.1, "compute": 0.1}}
    found = Merge.of([stored("A", str(number), **tenth) for number in range(10)]).datasets["A"]
    assert (found.luminosity, found.seconds) == ({"mu": 1.0}, {"stage_in": 1.0, "compute": 1.0})


def test_a_shard_found_twice_counts_once() -> None:
    first, again = (
        stored("A", "x", 10, {"4mu": {18: 2}}, bytes=5),
        stored("A", "x", 10, {"4mu": {18: 2}}, bytes=4),
    )
    merge = Merge.of([first, again, ("another/run/A/x.json", first[1])])
    assert (merge.datasets["A"].shards, merge.datasets["A"].processed) == (1, 10)
    assert (merge.work.shards, merge.work.bytes) == (1, 5)


def test_the_result_of_a_part_of_a_file_counts_where_it_says_so() -> None:
    parts = {"x_000-060": (0, 60), "x_060-100": (60, 100)}
    objects = [stored("A", "x_000-060", 60, entries=[0, 60]), stored("A", "x_060-100", 100)]
    merge = Merge.of(objects, entries=lambda key: parts[locate(key)[1]])
    assert merge.shards == {"A": {"x_000-060"}}
    assert list(merge.corrupt) == [objects[1][0]]


def test_a_corrupt_document_is_told_and_not_fatal() -> None:
    merge = Merge.of([("results/A/bad.json", b"{"), stored("A", "good", 3)])
    assert merge.corrupt == {
        "results/A/bad.json": "results/A/bad.json: not JSON (EOF while parsing an object at line 1 column 1)"
    }
    assert merge.datasets["A"].processed == 3
    assert merge.shards == {"A": {"good"}}


def test_a_corrupt_document_is_forgiven_when_the_shard_has_a_good_one() -> None:
    key, content = stored("A", "x", 3)
    assert Merge.of([(key, b""), (key, content)]).corrupt == {}
    assert Merge.of([(key, content), (key, b"")]).corrupt == {}


def test_missing_shards_are_named() -> None:
    merge = Merge.of([stored("A", "x"), stored("A", "old"), stored("C", "x")])
    assert merge.missing({"A": ["x", "z", "y"], "B": ["x"], "D": []}) == {"A": ["y", "z"], "B": ["x"]}


def test_an_empty_merge_sums_to_nothing() -> None:
    assert (Merge().datasets, Merge().shards, Merge().missing({"A": ["x"]})) == ({}, {}, {"A": ["x"]})


def test_a_merge_holds_a_few_hundred_bytes_a_shard() -> None:
    """27,000 documents of the full campaign, with events in most bins, would be 120 MB."""
    counts = {channel: {bin: bin % 7 for bin in range(37)} for channel in ("4mu", "4e", "2e2mu")}
    names = [f"{number:08d}-A1B2-C3D4-E5F6-0123456789AB" for number in range(2000)]
    merge = Merge()
    tracemalloc.start()
    for name in names:
        merge.read(*stored("SMHiggsToZZTo4L", name, 10_000, counts, seconds={"compute": 1.23}, bytes=123))
    held = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, merge_module.__file__)])
    tracemalloc.stop()
    assert sum(trace.size for trace in held.traces) / len(names) < 400
    assert merge.datasets["SMHiggsToZZTo4L"].processed == 20_000_000


def test_weighted_and_unweighted_results_of_a_dataset_add_up() -> None:
    merge = Merge.of(
        [
            stored("A", "x", 10, {"2e2mu": {5: 2}}),
            stored("A", "y", 10, {"2e2mu": {5: 1}}, weights=weights(-7.5, 5, -0.75)),
            stored("A", "z", 10, {"2e2mu": {6: 3}}),
        ]
    )
    found = merge.datasets["A"]
    assert (found.processed, found.weights.processed) == (30, 12.5)
    assert found.counts["2e2mu"].tolist() == histogram({5: 3, 6: 3})
    assert found.weights.sums["2e2mu"][5:7].tolist() == [1.25, 3.0]
    assert found.weights.squares["2e2mu"][5:7].tolist() == [2.5625, 3.0]
    assert not found.weights.sums["4mu"].any()


def lines(*values: object) -> bytes:
    return gzip.compress("".join(json.dumps(value) + "\n" for value in values).encode(), mtime=0)


LINE = {"dataset": "A", "shard": "x"}


@pytest.mark.parametrize(
    ("saved", "fault"),
    [
        (b"", "it is empty"),
        (b"{}", "Not a gzipped file (b'{}')"),
        (Merge().to_bytes()[:-9], "Compressed file ended before the end-of-stream marker was reached"),
        (lines([]), "line 1: the whole is not valid"),
        (lines({}), "line 1: dataset is not valid"),
        (lines(LINE | {"result": document("A")}, LINE), "line 2: result is not valid"),
        (lines(LINE | {"result": {}}), "line 1: result.samplename is not valid"),
    ],
)
def test_what_is_no_saved_merge_is_refused(saved: bytes, fault: str) -> None:
    with pytest.raises(ResultError) as caught:
        Merge.from_bytes(saved)
    assert str(caught.value) == f"not a saved merge: {fault}"

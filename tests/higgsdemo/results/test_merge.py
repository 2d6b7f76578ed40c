"""Every shard's result counts once, whatever order or repeats the results come in."""

import gc
import json
import math
import tracemalloc
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.datasets.expected import ExpectedShards, Place
from higgsdemo.physics.coverage import certified_events
from higgsdemo.results.merge import Merge
from higgsdemo.results.sums import saved_sums
from higgsdemo.storage.object_store import StoredObject
from result_documents import expecting, histogram, merged, stored


def weights(processed: float, bin: int, weight: float) -> dict[str, Any]:
    """Return the weights of a document with one event in a bin of 2e2mu."""
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
    max_size=8,
    unique_by=lambda result: result[0],
)
OBJECTS = st.lists(
    st.tuples(st.sampled_from(["r/A/w.json", "r/C/x.json", "nowhere"]), st.sampled_from([b"", b"{}", b"{"])),
    max_size=3,
    unique_by=lambda found: found[0],
).flatmap(lambda bad: RESULTS.map(lambda good: good + bad))


def whole(merge: Merge) -> tuple[object, ...]:
    """All that a merge gives, with floats to the last bit."""
    return saved_sums(None).dump_json(merge.datasets), merge.expected.datasets(), merge.corrupt


@given(OBJECTS, st.randoms(use_true_random=False))
def test_order_and_repeats_change_nothing(objects: list[tuple[str, bytes]], random: Any) -> None:
    shuffled = objects + random.choices(objects, k=len(objects)) if objects else []
    random.shuffle(shuffled)
    assert whole(merged(shuffled)) == whole(merged(objects))


@given(RESULTS)
def test_sums_are_read_again_as_they_were_saved(results: list[tuple[str, bytes]]) -> None:
    saved = saved_sums(None).dump_json(merged(results).datasets)
    assert saved_sums(None).dump_json(saved_sums(None).validate_json(saved)) == saved


def test_sums_of_an_own_analysis_are_read_again_with_its_histograms() -> None:
    of_run = [HistogramSpec(name="pt", bins=2, low=0, high=1)]
    weighted = {"contents": [0.1, -2.5], "squares": [0.01, 7]}
    stored = [
        (f"results/A/{name}.json", json.dumps({"samplename": "A", "processed": 9, "histograms": {"pt": pt}}))
        for name, pt in [("x", [4, 5]), ("y", weighted), ("z", weighted)]
    ]
    sums = saved_sums(of_run)
    merge = merged([(key, document.encode()) for key, document in stored], of_run)
    again = sums.validate_json(sums.dump_json(merge.datasets))["A"].weights
    assert (again.sums["pt"].tolist(), again.squares["pt"].tolist()) == ([4.2, 0.0], [4.02, 19.0])


def test_certified_events_add_up_and_their_sections_are_united() -> None:
    def certified(events: int, *sections: Any) -> dict[str, Any]:
        return {"certified": {"events": events, "sections": sections}}

    merge = merged(
        [
            stored("A", "x", 10, **certified(6, [7, [[1, 3], [9, 9]]], [8, [[5, 5]]])),
            stored("A", "y", 20, **certified(0)),
            stored("A", "z", 30, **certified(5, [7, [[3, 4], [10, 12]]])),
            stored("B", "x", 40),
        ]
    )
    a, b = merge.datasets.values()
    assert (a.checked, a.certified, a.sections) == (60, 11, {7: ((1, 4), (9, 12)), 8: ((5, 5),)})
    assert (b.checked, b.certified, b.sections) == (0, 0, {})
    kind = saved_sums(None)
    assert kind.validate_json(kind.dump_json(merge.datasets))["A"].sections == a.sections
    assert certified_events(merge.datasets) == "11 of 60 events of data are certified"


def test_the_sums_of_a_dataset() -> None:
    mu = {"stream": "mu_stream_2012", "value": 0.1}
    both, one = {"stage_in": 0.1, "compute": 1}, {"stage_in": 0.2}
    merge = merged(
        [
            stored("A", "x", 10, {"4mu": {0: 1, 18: 2}}, lumi=mu, bytes=5, seconds=both),
            stored("A", "y", 20, {"4mu": {18: 3}, "4e": {36: 4}}, lumi=mu, bytes=6, seconds=one),
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
    found = merged([stored("A", str(number), **tenth) for number in range(10)]).datasets["A"]
    assert (found.luminosity, found.seconds) == ({"mu": 1.0}, {"stage_in": 1.0, "compute": 1.0})


def test_a_shard_found_twice_counts_once() -> None:
    first, again = (
        stored("A", "x", 10, {"4mu": {18: 2}}, bytes=5),
        stored("A", "x", 10, {"4mu": {18: 2}}, bytes=4),
    )
    merge = merged([first, again, ("another/run/A/x.json", first[1])])
    assert (merge.datasets["A"].shards, merge.datasets["A"].processed) == (1, 10)
    assert (merge.work.shards, merge.work.read.total()) == (1, 5)


def test_a_corrupt_document_is_told_and_not_fatal() -> None:
    merge = merged([("results/A/bad.json", b"{"), stored("A", "good", 3)])
    assert merge.corrupt == {
        "results/A/bad.json": "results/A/bad.json: Invalid JSON: EOF while parsing an object at "
        "line 1 column 1"
    }
    assert merge.datasets["A"].processed == 3
    assert merge.counts == {"A": 1}


def test_a_corrupt_document_is_forgiven_when_the_shard_has_a_good_one() -> None:
    key, content = stored("A", "x", 3)
    assert merged([(key, b""), (key, content)]).corrupt == {}
    assert merged([(key, content), (key, b"")]).corrupt == {}


def test_results_of_unlisted_shards_count_nothing_and_shards_without_a_result_are_named() -> None:
    expected = expecting({"one": {"A": ["x", "z"], "B": ["x"]}, "two": {"A": ["y"]}})
    merge = merged([stored("A", "x"), stored("A", "old"), stored("C", "x")], expected=expected)
    assert (merge.read, merge.datasets.keys(), merge.corrupt) == (1, {"A"}, {})
    assert [list(expected.uncounted(dataset)) for dataset in "ABC"] == [
        [("y", "two"), ("z", "one")],
        [("x", "one")],
        [],
    ]
    assert expected.counted == {"one": {"A": 1}, "two": {}}


def test_an_empty_merge_sums_to_nothing() -> None:
    assert (merged([]).datasets, merged([]).read) == ({}, 0)


def test_a_merge_holds_of_a_shard_its_end_alone() -> None:
    """27,000 documents of the full campaign, with events in most bins, would be 120 MB."""
    counts = {channel: {bin: bin % 7 for bin in range(37)} for channel in ("4mu", "4e", "2e2mu")}
    merge = Merge(ExpectedShards())

    def held(shards: range) -> int:
        names = [f"{number:08d}-A1B2-C3D4-E5F6-0123456789AB" for number in shards]
        merge.expected.add(f"of-{shards.start}", (Place("SMHiggsToZZTo4L", name) for name in names))
        for name in names:
            merge.add(*stored("SMHiggsToZZTo4L", name, 10_000, counts, seconds={"compute": 1.23}, bytes=123))
        del names, name
        gc.collect()
        ours = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/plugins/higgsdemo/*")])
        return sum(trace.size for trace in ours.traces)

    tracemalloc.start()
    held(range(100))  # what pydantic and numpy make when they are first used
    before, after = held(range(100, 101)), held(range(101, 1101))
    tracemalloc.stop()
    assert (after - before) / 1000 < 100
    assert merge.datasets["SMHiggsToZZTo4L"].processed == 11_010_000


def test_weighted_and_unweighted_results_of_a_dataset_add_up() -> None:
    merge = merged(
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


def test_what_is_corrupt_is_read_again_once_it_has_changed() -> None:
    key, good = stored("A", "x", 3)
    merge = merged([(key, b"[]")])
    assert merge.corrupt == {key: f"{key}: Input should be an object"}
    assert [merge.wants(StoredObject(key, size)) for size in (2, len(good))] == [False, True]
    merge.add(key, good)
    assert (merge.corrupt, merge.read) == ({}, 1)


def test_when_shards_were_finished_is_kept_by_dataset() -> None:
    merge = merged([stored("A", "one", finished="2026-01-02T03:04:05Z")])
    assert (merge.finished("A").tolist(), merge.finished("B").tolist()) == ([1767323045.0], [])

"""The results that count are those of the listed shards, and of these there are as many as are listed."""

import pytest

from higgsdemo.datasets.expected import ExpectedShards
from higgsdemo.datasets.shards import Shard, dump
from higgsdemo.run_folder import shards_key
from higgsdemo.storage.object_store import DamagedError, ObjectStore
from planned_runs import dataset, planned
from stores import Kind

ONE = planned(cluster={"name": "one", "datasets": [dataset("A", files=3), dataset("B", files=6)]})
TWO = planned(cluster={"name": "two", "datasets": [dataset("B", files=2), dataset("C", files=6)]})
LISTS = {
    "one": [
        Shard("A", "whole", "s3://in/whole.root", 1),
        Shard("A", "cut_00-60", "s3://in/cut.root", 1, entries=(0, 60), events=90),
        Shard("A", "cut_60-90", "s3://in/cut.root", 1, entries=(60, 90), events=90),
        Shard("B", "x", "s3://in/x.root", 1),
    ],
    "two": [Shard("B", "y", "s3://in/y.root", 1)],
    "of-an-earlier-run": [Shard("B", "z", "s3://in/z.root", 1)],
}


def expected(kind: Kind, *clusters: str) -> ExpectedShards:
    """Return what is expected of both clusters when some lists have been written."""
    kind.put_all([(f"out/{shards_key(name)}", b"".join(map(dump, LISTS[name]))) for name in clusters])
    return ExpectedShards.of(ObjectStore(f"{kind.url}/out", "with_keys"), [ONE, TWO])


def test_results_of_the_listed_shards_count_and_parts_of_files_are_of_their_events(s3: Kind) -> None:
    found = expected(s3, *LISTS)
    parts = {"whole": None, "cut_00-60": (0, 60), "cut_60-90": (60, 90)}
    for name, entries in parts.items():
        key = f"results/A/{name}.json"
        assert found.find(key) == (("one",), entries, 1, False)
    assert all(found.find(f"results/B/{name}.json") for name in ("x", "y"))


@pytest.mark.parametrize(
    "key",
    [
        "results/A/cut.json",
        "results/A/cut_00-30.json",
        "results/A/x.json",
        "results/B/z.json",
        "results/C/x.json",
        "results/A/whole.txt",
        "results/A/deep/whole.json",
        "summary.json",
    ],
)
def test_no_other_object_counts(s3: Kind, key: str) -> None:
    assert expected(s3, *LISTS).find(key) is None


def test_the_shards_of_a_run_are_those_that_are_listed(s3: Kind) -> None:
    assert expected(s3, *LISTS).counts([ONE, TWO]) == {"A": 3, "B": 2, "C": 0}


def test_of_a_cluster_without_a_list_none_count_and_as_many_are_expected_as_are_planned(s3: Kind) -> None:
    found = expected(s3, "one")
    assert found.find("results/B/y.json") is None
    assert found.counts([ONE, TWO]) == {"A": 3, "B": 1 + 2, "C": 6}


@pytest.mark.parametrize(
    ("of_dataset", "shards"),
    [
        ({"files": 6, "max_shards": 100}, 6),
        ({"files": 6, "max_shards": 2}, 2),
        ({"max_shards": 2}, 2),
        ({}, 0),
    ],
)
def test_no_more_shards_are_planned_than_there_are_files(of_dataset: dict[str, int], shards: int) -> None:
    unlisted = planned(cluster={"datasets": [dataset("A", **of_dataset)]})
    assert ExpectedShards().counts([unlisted]) == {"A": shards}


@pytest.mark.parametrize(
    "line",
    [
        '{"dataset": "A", "name": "x"}',
        '{"dataset": "A", "name": "\\ud800"}',
        '{"dataset": "A", "name": "y", "entries": [0, 99999999999999999999]}',
        '{"dataset": "A", "name": "y", "size": "large"}',
        '{"dataset": "A"}',
        "[]",
    ],
)
def test_of_a_list_that_no_run_has_written_nothing_is_expected(s3: Kind, line: str) -> None:
    lines = f'{{"dataset": "A", "name": "x"}}\n{line}\n'
    s3.put_all([(f"out/{shards_key('one')}", lines.encode())])
    found = ExpectedShards()
    with pytest.raises(DamagedError, match="is not what a run writes"):
        found.read(ObjectStore(f"{s3.url}/out", "with_keys"), "one")
    assert (found.find("results/A/x.json"), found.clusters, found.datasets()) == (None, {}, {})

"""How shards are shared out: each cluster has its part of the bytes, in order, and each pod some of them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from higgsdemo.campaign import Cluster
from higgsdemo.datasets.listing import list_datasets
from higgsdemo.datasets.packing import cluster_seconds, count_pods, shards_per_pod
from higgsdemo.datasets.shards import cluster_shards
from higgsdemo.datasets.split import pieces, share_out
from higgsdemo.storage.object_store import ObjectStore
from planned_runs import dataset, planned
from stores import Kind

SIZES = st.lists(st.integers(1, 10**10), min_size=1, max_size=300)
CAPACITIES = st.lists(st.integers(1, 10**5), min_size=1, max_size=20)


@given(SIZES, CAPACITIES)
def test_every_cluster_is_within_one_shard_of_its_part_of_the_bytes(
    sizes: list[int], capacities: list[int]
) -> None:
    placed = list(pieces(sizes, sum(sizes), capacities))
    assert len(placed) == len(sizes)
    assert placed == sorted(placed)
    for position, capacity in enumerate(capacities):
        got = sum(size for size, home in zip(sizes, placed, strict=True) if home == position)
        due = sum(sizes) * capacity / sum(capacities)
        assert abs(got - due) <= max(sizes) * (1 + 1e-9)


def clusters(*nodes: int) -> list[Cluster]:
    made = planned().cluster.model_copy(update={"cores": 16, "datasets": ()})
    return [made.model_copy(update={"name": f"c{i}", "nodes": n}) for i, n in enumerate(nodes)]


def shared(kind: Kind, folder: Path, *nodes: int) -> dict[str, list[tuple[str, str]]]:
    """Dataset and name of each cluster's shards, A and B being split over clusters of so many nodes."""
    refs = [dataset(name, url=f"{kind.url}/{name}/") for name in ("A", "B")]
    run = planned(run={"output": f"{kind.url}/out/run", "output_connection": "with_keys"}).run
    output = ObjectStore(run.output, "with_keys")
    listings = list_datasets(run, refs, "with_keys", output, folder)
    homes = share_out(listings, clusters(*nodes), output, folder)
    found = {c.name: [(s.dataset, s.name) for s in cluster_shards(output, c.name)] for c in homes}
    for cluster in homes:
        parts = {ref.name: ref.files for ref in cluster.datasets}
        names = [name for name, _ in found[cluster.name]]
        assert parts == {name: names.count(name) for name in dict.fromkeys(names)}
    return found


@pytest.fixture
def two_datasets(s3: Kind) -> Kind:
    s3.put_all([(f"A/{n}.root", b"1234") for n in range(4)] + [(f"B/{n}.root", b"12") for n in range(4)])
    return s3


def test_clusters_get_bytes_in_proportion_to_their_cores(two_datasets: Kind, tmp_path: Path) -> None:
    assert shared(two_datasets, tmp_path, 2, 1) == {
        "c0": [("A", "0"), ("A", "1"), ("A", "2"), ("A", "3")],
        "c1": [("B", "0"), ("B", "1"), ("B", "2"), ("B", "3")],
    }
    assert shared(two_datasets, tmp_path, 1, 1, 1)["c1"] == [("A", "2"), ("A", "3")]


def test_the_same_again_gives_the_same_pieces(two_datasets: Kind, tmp_path: Path) -> None:
    assert shared(two_datasets, tmp_path, 3, 2, 7) == shared(two_datasets, tmp_path, 3, 2, 7)


def test_more_clusters_than_shards_leave_some_without(s3: Kind, tmp_path: Path) -> None:
    s3.put_all([("A/0.root", b"1"), ("B/0.root", b"1")])
    found = shared(s3, tmp_path, 1, 1, 1, 1, 1)
    assert sorted(map(len, found.values())) == [0, 0, 0, 1, 1]


FULL = {"shards_per_pod": "auto", "cores": 16, "nodes": 22, "flavor": "n1-highmem-16", "provider": "gke"}


@pytest.mark.parametrize(
    ("shards", "each", "cluster", "expected"),
    [
        ([2692], 140.0, {}, 1),
        ([100], 0.2, {}, 5),
        ([2692], 0.2, {"cores": None}, 26),
        ([2692], 140.0, {"shards_per_pod": 7}, 7),
        ([], 0.2, {}, 1),
    ],
)
def test_small_files_share_a_pod_and_large_ones_do_not(
    shards: list[int], each: float, cluster: dict[str, object], expected: int
) -> None:
    assert shards_per_pod(planned(cluster=FULL | cluster).cluster, shards, 4.0, each) == expected


@given(st.lists(st.integers(1, 300), min_size=1, max_size=6), st.floats(0, 500), st.integers(1, 40))
def test_no_other_number_of_shards_a_pod_is_faster_by_a_tenth(
    shards: list[int], each: float, nodes: int
) -> None:
    cluster = planned(cluster=FULL | {"nodes": nodes, "cores": 2}).cluster
    times = [
        cluster_seconds(count_pods(shards, k), cluster.slots, 4.0 + k * each)
        for k in range(1, sum(shards) + 1)
    ]
    assert times[shards_per_pod(cluster, shards, 4.0, each) - 1] <= 1.1 * min(times)

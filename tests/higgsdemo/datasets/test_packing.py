"""How many shards a pod takes on."""

import pytest

from higgsdemo.datasets.packing import shards_per_pod
from planned_runs import planned

FULL = {"shards_per_pod": "auto", "cores": 16, "nodes": 66, "flavor": "n1-highmem-16", "provider": "gke"}


@pytest.mark.parametrize(
    ("shards", "cluster", "expected"),
    [
        (25, {}, 1),
        (600, {}, 1),
        (2_692, {}, 2),
        (100_000, {}, 89),
        (100_000, {"cores": None}, 167),
        (2_692, {"nodes": 1}, 5),
        (2_692, {"shards_per_pod": 7}, 7),
        (0, {}, 1),
    ],
)
def test_pods_are_there_within_a_minute_and_every_slot_has_work(
    shards: int, cluster: dict[str, object], expected: int
) -> None:
    assert shards_per_pod(planned(cluster=FULL | cluster).cluster, shards) == expected


def test_an_image_of_one_file_a_pod_gets_one() -> None:
    assert shards_per_pod(planned(cluster=FULL).cluster, 100_000, stages_in_apart=True) == 1

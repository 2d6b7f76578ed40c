"""Shards are counted from the status of Indexed Jobs, whose conditions say something else."""

from typing import Any

import pytest

from higgsdemo.kubernetes.progress import (
    ShardProgress,
    indexes,
    job_progress,
    progress_document,
    total_progress,
)
from higgsdemo.kubernetes.second_attempts import RACES, counted_once
from tables import cases


def job(total: int, per_pod: int, **status: Any) -> dict[str, Any]:
    annotations = {"higgsdemo/shards": str(total), "higgsdemo/shards-per-pod": str(per_pod)}
    return {"metadata": {"annotations": annotations}, "status": status}


@pytest.mark.parametrize(
    ("compressed", "expected"),
    [(None, []), ("", []), ("3", [3]), ("0-2", [0, 1, 2]), ("0,2-4,9", [0, 2, 3, 4, 9])],
)
def test_compressed_indexes_are_read(compressed: str | None, expected: list[int]) -> None:
    assert list(indexes(compressed)) == expected


@cases
def test_ten_shards_three_a_pod_are_counted(status: dict[str, Any], counted: dict[str, Any]) -> None:
    nothing = {"done": 0, "failed": 0, "running": 0, "surely": 0, "total": 10, "finished": False}
    progress = ShardProgress(**nothing | counted)
    assert job_progress(job(10, 3, **status)) == progress
    assert progress.pending == 10 - progress.done - progress.failed - progress.running


@cases
def test_each_of_five_shards_counts_once_whichever_attempt_is_through(
    first: dict[str, Any], second: dict[str, Any], counted: dict[str, Any]
) -> None:
    """The second attempts are at indexes 3 and 4."""
    one, two, other = (job(5, 1, active=2, ready=2, **status) for status in (first, second, {}))
    for name, of in (("one", one), ("two", two), ("other", other)):
        of["metadata"]["uid"] = name
        of["spec"] = {"completions": 2 if of is two else 5}
    two["metadata"]["annotations"][RACES] = "3,4"
    two["metadata"]["ownerReferences"] = [{"uid": "one"}]
    together, alone = counted_once([two, one, other])
    assert alone is other
    nothing = {"done": 0, "failed": 0, "running": 0, "surely": 0, "total": 5, "finished": False}
    assert job_progress(together) == ShardProgress(**nothing | counted)


def test_the_total_has_finished_when_all_its_parts_have() -> None:
    ended = ShardProgress(total=3, done=3, failed=0, running=0, finished=True, surely=0)
    running = ShardProgress(total=5, done=1, failed=1, running=2, finished=False, surely=1)
    assert total_progress([ended, running]) == ShardProgress(
        total=8, done=4, failed=1, running=2, finished=False, surely=1
    )
    assert total_progress([ended, ended]).finished
    assert str(running) == "1 of 5 shards done, 1 failed, 2 running, 1 pending"


def test_of_the_shards_of_a_failed_pod_nobody_knows_yet_how_many_have_failed() -> None:
    said = str(job_progress(job(3, 3, failedIndexes="0")))
    assert said == "0 of 3 shards done, 1 to 3 failed, 0 running, 0 pending"


def test_what_a_watcher_is_told_is_by_dataset_over_all_its_jobs() -> None:
    one = job(4, 1, active=3, ready=1, succeeded=1, failed=2, completedIndexes="0")
    two = job(2, 1, active=0, succeeded=2, completedIndexes="0-1")
    assert progress_document([("A", one), ("A", two), ("B", two)]) == {
        "A": {
            "shards": {"total": 6, "done": 3, "failed": 0, "surely": 0, "running": 1},
            "pods": {"pending": 2, "running": 1, "succeeded": 3, "failed": 2},
        },
        "B": {
            "shards": {"total": 2, "done": 2, "failed": 0, "surely": 0, "running": 0},
            "pods": {"pending": 0, "running": 0, "succeeded": 2, "failed": 0},
        },
    }

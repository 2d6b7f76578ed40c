"""How far a cluster's Jobs are, read from their status alone: a few objects, whatever the number of pods.

The condition of an Indexed Job does not tell: one failed index ends a Job as Failed though all the others
succeeded, so shards are counted from ``completedIndexes`` and ``failedIndexes``.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

SHARDS = "higgsdemo/shards"
SHARDS_PER_POD = "higgsdemo/shards-per-pod"
PODS = ("pending", "running", "succeeded", "failed")


@dataclass(frozen=True, slots=True)
class ShardProgress:
    """Shards by state; ``finished`` when Kubernetes will start no further pod.

    Of the shards of a failed index one at least has failed: ``surely`` counts these.
    """

    total: int
    done: int
    failed: int
    running: int
    finished: bool
    surely: int

    @property
    def pending(self) -> int:
        """Shards that no pod has started."""
        return max(self.total - self.done - self.failed - self.running, 0)

    def __str__(self) -> str:
        failed = f"{self.surely} to {self.failed}" if self.surely < self.failed else f"{self.failed}"
        return (
            f"{self.done} of {self.total} shards done, {failed} failed, "
            f"{self.running} running, {self.pending} pending"
        )


def indexes(compressed: str | None) -> Iterator[int]:
    """Yield the completion indexes of a Job status, which writes them like ``0-3,7``."""
    for part in filter(None, (compressed or "").split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def job_progress(job: dict[str, Any]) -> ShardProgress:
    """Return the progress of one Job of ours, given as the API's JSON."""
    annotations = job["metadata"].get("annotations") or {}
    total, per_pod = int(annotations[SHARDS]), int(annotations[SHARDS_PER_POD])
    status = job.get("status") or {}

    def shards(compressed: str | None) -> int:
        return sum(max(min(per_pod, total - index * per_pod), 0) for index in indexes(compressed))

    done = shards(status.get("completedIndexes"))
    failed = min(shards(status.get("failedIndexes")), total - done)
    running = min(int(status.get("ready") or 0) * per_pod, total - done - failed)
    return ShardProgress(total, done, failed, running, bool(job_ends(job)), surely=failed_indexes(job))


def job_ends(job: dict[str, Any]) -> set[str]:
    """Return how a Job has ended, Complete or Failed; nothing while it runs."""
    conditions = (job.get("status") or {}).get("conditions") or []
    return {one["type"] for one in conditions if one["status"] == "True"} & {"Complete", "Failed"}


def failed_indexes(job: dict[str, Any]) -> int:
    """Return how many shards of a Job have failed at least: one per index, whose pod publishes the others."""
    return len(list(indexes((job.get("status") or {}).get("failedIndexes"))))


def total_progress(parts: Iterable[ShardProgress]) -> ShardProgress:
    """Add up several Jobs."""
    parts = list(parts)
    return ShardProgress(
        total=sum(p.total for p in parts),
        done=sum(p.done for p in parts),
        failed=sum(p.failed for p in parts),
        running=sum(p.running for p in parts),
        finished=all(p.finished for p in parts),
        surely=sum(p.surely for p in parts),
    )


def job_pods(job: dict[str, Any]) -> Counter[str]:
    """Return a Job's pods by phase; those being removed count as ``terminating`` alone."""
    status = job.get("status") or {}
    active, ready = int(status.get("active") or 0), int(status.get("ready") or 0)
    ended = {phase: int(status.get(phase) or 0) for phase in ("succeeded", "failed", "terminating")}
    return Counter(pending=max(active - ready, 0), running=min(active, ready), **ended)


def progress_document(
    jobs: Iterable[tuple[str, dict[str, Any]]], waiting: str | None = None
) -> dict[str, Any]:
    """Return shards and pods by dataset, of pairs of a dataset and a Job; a dataset may have several.

    :param waiting: what datasets that are not through wait for, if it is more than their turn.
    """
    by_dataset: dict[str, list[dict[str, Any]]] = {}
    for dataset, job in jobs:
        by_dataset.setdefault(dataset, []).append(job)
    return {dataset: _of_dataset(jobs, waiting) for dataset, jobs in sorted(by_dataset.items())}


def _of_dataset(jobs: list[dict[str, Any]], waiting: str | None) -> dict[str, Any]:
    progress = total_progress(map(job_progress, jobs))
    pods = sum(map(job_pods, jobs), Counter[str]())
    return {
        "shards": {key: getattr(progress, key) for key in ("total", "done", "failed", "surely", "running")},
        "pods": {phase: pods[phase] for phase in PODS},
        **({"waiting": waiting} if waiting and not progress.finished else {}),
    }

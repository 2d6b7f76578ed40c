"""What the Job controller knows of one Job beside its status: uncounted pods, retries, the next indexes."""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass, field

from localkube.defaults import JOB_FINALIZER
from localkube.objects import Obj, deleting, finished, name_of

INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
_LONGEST_BACKOFF = 600.0


def uncounted(pod: Obj) -> bool:
    """Whether the pod still bears the finalizer that says it is not counted."""
    return JOB_FINALIZER in (pod["metadata"].get("finalizers") or ())


def index_of(pod: Obj) -> int:
    """The completion index, -1 for a pod that has none."""
    return int((pod["metadata"].get("annotations") or {}).get(INDEX, -1))


@dataclass
class Progress:
    """The state of one Job; -1 stands for the Job as a whole where others are indexes."""

    uid: str
    completed: set[int]
    failed_indexes: set[int]
    pods: dict[str, Obj] = field(default_factory=dict)  # not counted yet, by name
    terminating: set[str] = field(default_factory=set)  # pods being deleted that have not ended
    failures: dict[int, int] = field(default_factory=dict)
    spec: Obj = field(default_factory=dict)  # that its pods share
    _not_before: dict[int, float] = field(default_factory=dict)  # when a failed one may be tried again
    _busy: set[int] = field(default_factory=set)  # indexes that had a pod when the Job was first seen
    _again: list[int] = field(default_factory=list)  # heap of indexes that need a pod once more
    _next: int = 0  # the lowest index not offered yet

    def begin(self, pods: list[Obj]) -> None:
        """Take note of the pods there are when the Job is first seen."""
        for pod in pods:
            self.take(pod)
        self._busy = {index_of(pod) for pod in self.pods.values()}

    def take(self, pod: Obj, gone: bool = False) -> None:
        """Take note of a pod as it is now; one that is let go without being counted needs a successor."""
        name = name_of(pod)
        if not gone and uncounted(pod):
            self.pods[name] = pod
        elif self.pods.pop(name, None):
            self.again(index_of(pod))
        if not gone and deleting(pod) and not finished(pod):
            self.terminating.add(name)
        else:
            self.terminating.discard(name)

    def fail(self, index: int, backoff: float) -> int:
        """Count a failure and set when the next attempt may begin; returns the failures so far."""
        self.failures[index] = count = self.failures.get(index, 0) + 1
        self._not_before[index] = time.time() + min(backoff * 2.0 ** min(count - 1, 30), _LONGEST_BACKOFF)
        return count

    def wait(self, index: int) -> float:
        """Seconds until the index may be tried again; none or less when it may be now."""
        return self._not_before.get(index, 0.0) - time.time()

    def again(self, index: int) -> None:
        """The index needs a pod once more."""
        if index >= 0:
            heapq.heappush(self._again, index)

    def next_index(self, completions: int) -> int | None:
        """The lowest index that needs a pod, which is the caller's from now on; None when there is none."""
        while self._again or self._next < completions:
            fresh = self._next < completions and not (self._again and self._again[0] < self._next)
            if fresh:
                index, self._next = self._next, self._next + 1
            else:
                index = heapq.heappop(self._again)
            if index >= completions:
                self._next = min(self._next, completions)  # offered anew when the Job grows again
            elif (
                index not in self.completed
                and index not in self.failed_indexes
                and not (fresh and index in self._busy)
            ):
                return index
        self._next = min(self._next, completions)
        return None

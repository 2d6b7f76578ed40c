"""The pods of one Job: what the controller remembers of them, which index is next, and what a new one is."""

import time
from dataclasses import dataclass, field

from localkube.defaults import JOB_FINALIZER, admitted, pod_of
from localkube.objects import Obj, annotations_of, deleting, finished, name_of
from localkube.store import generated_name

INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
_LONGEST_BACKOFF = 600.0


def uncounted(pod: Obj) -> bool:
    """Whether the pod still bears the finalizer that says it is not counted."""
    return JOB_FINALIZER in (pod["metadata"].get("finalizers") or ())


def index_of(pod: Obj) -> int:
    """The completion index, -1 for a pod that has none."""
    return int(annotations_of(pod).get(INDEX, -1))


@dataclass
class Progress:
    """The state of one Job; -1 stands for the Job as a whole where others are indexes."""

    uid: str
    spec: Obj  # that its pods share
    completed: set[int]
    failed_indexes: set[int]
    pods: dict[str, Obj] = field(default_factory=dict)  # not counted yet, by name
    terminating: set[str] = field(default_factory=set)  # pods being deleted that have not ended
    failures: dict[int, int] = field(default_factory=dict)
    _not_before: dict[int, float] = field(default_factory=dict)  # when a failed one may be tried again

    def take(self, pod: Obj, gone: bool = False) -> None:
        """Take note of a pod as it is now."""
        name = name_of(pod)
        self.pods.pop(name, None)
        self.terminating.discard(name)
        if not gone and uncounted(pod):
            self.pods[name] = pod
        if not gone and deleting(pod) and not finished(pod):
            self.terminating.add(name)

    def fail(self, index: int, backoff: float) -> int:
        """Count a failure and set when the next attempt may begin; returns the failures so far."""
        self.failures[index] = count = self.failures.get(index, 0) + 1
        self._not_before[index] = time.time() + min(backoff * 2.0 ** min(count - 1, 30), _LONGEST_BACKOFF)
        return count

    def next_indexes(self, most: int, completions: int | None) -> tuple[list[int], float | None]:
        """The lowest indexes that need a pod now (-1 for each pod of a Job without indexes), at most so many.

        With them the seconds until an index may be tried again that must wait, or None.
        """
        if (wait := self._wait(-1)) > 0:
            return [], wait
        if completions is None:
            return [-1] * most, None
        chosen: list[int] = []
        waits: list[float] = []
        busy = {index_of(pod) for pod in self.pods.values()}
        for index in range(completions if most > 0 else 0):
            if index in self.completed or index in busy or index in self.failed_indexes:
                continue
            if (wait := self._wait(index)) > 0:
                waits.append(wait)
            else:
                chosen.append(index)
            if len(chosen) == most:
                break
        return chosen, min(waits, default=None)

    def _wait(self, index: int) -> float:
        return self._not_before.get(index, 0.0) - time.time()


def new_pod(job: Obj, progress: Progress, index: int) -> Obj:
    """A pod for this index, or without one (-1)."""
    prefix, spec = f"{name_of(job)}-", progress.spec
    more: Obj = {"finalizers": [JOB_FINALIZER]}
    if index >= 0:
        prefix, spec = f"{prefix}{index}-", {**spec, "hostname": f"{prefix}{index}"}
        more |= {"labels": {INDEX: str(index)}, "annotations": {INDEX: str(index)}}
        if job["spec"].get("backoffLimitPerIndex") is not None:
            more["annotations"][FAILURES] = str(progress.failures.get(index, 0))
    return pod_of(job["spec"]["template"], job, prefix, generated_name(prefix), spec, **more)


def pod_spec(job: Obj) -> Obj:
    """The spec that the pods of a Job share; with indexes, containers learn theirs from an annotation."""
    spec = admitted(job["spec"]["template"]["spec"])
    field_path = {"apiVersion": "v1", "fieldPath": f"metadata.annotations['{INDEX}']"}
    variable = {"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": field_path}}
    for kind in ("initContainers", "containers"):
        if kind in spec and job["spec"]["completionMode"] == "Indexed":
            spec[kind] = [{**one, "env": [*(one.get("env") or ()), variable]} for one in spec[kind]]
    return spec

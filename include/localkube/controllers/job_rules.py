"""One Job: what a failed pod means for it, when it is over and why, and which index is next."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Self

from localkube.objects.defaults import admitted
from localkube.objects.object import Json, Obj, lookup, seconds

FINALIZER = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count"
_INDEX_FIELD = {"apiVersion": "v1", "fieldPath": f"metadata.annotations['{INDEX}']"}
_INDEX_VARIABLE = {"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": _INDEX_FIELD}}
_LONGEST_BACKOFF = 600.0


@dataclass(frozen=True)
class Verdict:
    """The condition that announces the end, FailureTarget or SuccessCriteriaMet, with reason and message."""

    target: str
    reason: str
    message: str


@dataclass
class Tally:
    """The counts of a Job's pods, as in its status."""

    succeeded: int
    failed: int
    completed: set[int]
    failed_indexes: set[int]

    @classmethod
    def of(cls, job: Obj) -> Self:
        status = job["status"]
        completed, failed = (expand(status.get(f"{kind}Indexes")) for kind in ("completed", "failed"))
        return cls(status.get("succeeded", 0), status.get("failed", 0), completed, failed)

    def succeed(self, job: Obj, index: int) -> None:
        self.succeeded += index not in self.completed
        if indexed(job):
            self.completed.add(index)

    def document(self) -> Json:
        """Return the corresponding part of a status."""
        indexes = {"completed": self.completed, "failed": self.failed_indexes}
        written = {f"{kind}Indexes": compress(found) for kind, found in indexes.items()}
        return {"succeeded": self.succeeded, "failed": self.failed, **written}


def announced(job: Obj) -> Verdict | None:
    """Return the verdict in the conditions of a Job."""
    for kind in ("FailureTarget", "SuccessCriteriaMet"):
        if job.is_true(kind):
            told = job.condition(kind)
            return Verdict(kind, told.get("reason", ""), told.get("message", ""))
    return None


def decide(job: Obj, tally: Tally) -> Verdict | None:
    """Return the verdict on a Job with these counts, or None while it goes on."""
    wanted, failed_indexes = job["spec"]["completions"], len(tally.failed_indexes)
    if tally.failed > job["spec"]["backoffLimit"]:
        return Verdict("FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    if failed_indexes and tally.succeeded + failed_indexes >= wanted:
        return Verdict("FailureTarget", "FailedIndexes", "Job has failed indexes")
    if tally.succeeded >= wanted:
        message = "Reached expected number of succeeded pods"
        return Verdict("SuccessCriteriaMet", "CompletionsReached", message)
    return None


def action_for(job: Obj, pod: Obj) -> str:
    """Return the action of the first rule of the podFailurePolicy that matches a failed pod, else Count."""
    rules = job.at("spec.podFailurePolicy.rules") or ()
    return next((str(rule["action"]) for rule in rules if _matches(rule, pod)), "Count")


def _matches(rule: Json, pod: Obj) -> bool:
    for pattern in rule.get("onPodConditions") or ():
        if pod.condition(pattern["type"]).get("status") == pattern["status"]:
            return True
    wanted = rule.get("onExitCodes") or {}
    for one in pod.container_statuses if wanted else ():
        code = lookup(one, "state.terminated.exitCode")
        meant = code and wanted.get("containerName") in (None, one["name"])
        if meant and (code in wanted["values"]) is (wanted["operator"] == "In"):
            return True
    return False


def compress(indexes: Iterable[int]) -> str:
    """Write completion indexes as ranges, "0-3,5,9"; a comma separates two neighbours, as in Kubernetes."""
    parts: list[str] = []
    for _, group in groupby(enumerate(sorted(indexes)), lambda pair: pair[1] - pair[0]):
        run = [str(index) for _, index in group]
        parts += run if len(run) < 3 else [f"{run[0]}-{run[-1]}"]
    return ",".join(parts)


def expand(text: str | None) -> set[int]:
    """Return the set of indexes that `compress` wrote."""
    indexes: set[int] = set()
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        indexes.update(range(int(first), int(last or first) + 1))
    return indexes


def uncounted(pod: Obj) -> bool:
    """Return whether the pod still has the finalizer of uncounted pods."""
    return FINALIZER in pod.finalizers


def index_of(pod: Obj) -> int:
    """Return the completion index, -1 for a pod that has none."""
    return int(pod.annotations.get(INDEX, -1))


def indexed(job: Obj) -> bool:
    """Return whether the pods of a Job have completion indexes."""
    return bool(job["spec"]["completionMode"] == "Indexed")


def attempts(job: Obj, failed: Obj) -> dict[str, int]:
    """Return how often an index has failed, and how often that was ignored, with this pod."""
    tried = {key: int(failed.annotations.get(key, 0)) for key in (FAILURES, IGNORED)}
    tried[IGNORED if action_for(job, failed) == "Ignore" else FAILURES] += 1
    return tried


def pod_spec(job: Obj) -> Json:
    """Return the spec that pods of a Job share; containers read their index from an annotation."""
    spec = admitted(job["spec"]["template"]["spec"])
    for kind in ("initContainers", "containers"):
        if kind in spec and indexed(job):
            spec[kind] = [{**one, "env": [*(one.get("env") or ()), _INDEX_VARIABLE]} for one in spec[kind]]
    return spec


class Progress:
    """The uncounted pods of one Job, and when the next one may be created.

    Each pod is examined when it changes, so that a round costs what has changed, not what exists.
    """

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self.active: dict[str, Obj] = {}  # by name
        self.ended: dict[str, Obj] = {}  # by name: they are over, or being deleted
        self.indexes: dict[str, int] = {}  # of both, by name
        self.ready: set[str] = set()
        self.terminating: set[str] = set()  # pods being deleted that have not ended, counted or not
        self.failures = 0  # since the last success
        self._not_before = 0.0

    @property
    def pods(self) -> list[Obj]:
        """All of them."""
        return [*self.ended.values(), *self.active.values()]

    def take(self, pod: Obj, gone: bool = False) -> None:
        name, finished, deleting = pod.name, pod.finished, pod.deleting
        for group in (self.active, self.ended, self.indexes):
            group.pop(name, None)
        self.ready.discard(name)
        self.terminating.discard(name)
        if not gone and deleting and not finished:
            self.terminating.add(name)
        if not gone and uncounted(pod):
            (self.ended if finished or deleting else self.active)[name] = pod
            self.indexes[name] = index_of(pod)
            if name in self.active and pod.is_true("Ready"):
                self.ready.add(name)

    def failed(self, job: Obj) -> dict[str, Obj]:
        """Return the failed pods, and those being deleted unless the Job's policy waits for their end."""
        waits = job["spec"]["podReplacementPolicy"] == "Failed"
        over = {name: pod for name, pod in self.ended.items() if pod.finished or not waits}
        return {name: pod for name, pod in over.items() if pod.at("status.phase") != "Succeeded"}

    def fail(self, backoff: float) -> None:
        """Count a failure; the next pod waits longer the more there were since the last success."""
        self.failures += 1
        self._not_before = time.time() + _delay(backoff, self.failures)

    def next_indexes(
        self, job: Obj, tally: Tally, failed: dict[int, Obj], most: int, backoff: float
    ) -> tuple[list[int], float | None]:
        """Return at most so many of the lowest indexes that need a pod now (-1 for Jobs without indexes).

        With them the seconds until a waiting one may be retried, or None. `failed` are the pods to replace,
        by index.
        """
        if self.failures and (wait := self._not_before - time.time()) > 0:
            return [], wait
        if not indexed(job):
            return [-1] * most, None
        left = {index: _again(job, pod, backoff) - time.time() for index, pod in failed.items()}
        waits = {index: wait for index, wait in left.items() if wait > 0}
        busy = set(self.indexes.values()) - failed.keys()
        done = tally.completed | tally.failed_indexes | busy | waits.keys()
        needed = (index for index in range(job["spec"]["completions"]) if index not in done)
        return list(islice(needed, max(most, 0))), min(waits.values(), default=None)


def _again(job: Obj, failed: Obj, backoff: float) -> float:
    ends = (lookup(one, "state.terminated.finishedAt") for one in failed.container_statuses)
    told = failed["metadata"].get("deletionTimestamp") or failed["metadata"]["creationTimestamp"]
    ended, tries = max(filter(None, ends), default=told), sum(attempts(job, failed).values())
    return seconds(ended) + _delay(backoff, tries)


def _delay(backoff: float, failures: int) -> float:
    return min(backoff * 2.0 ** min(failures - 1, 30), _LONGEST_BACKOFF)

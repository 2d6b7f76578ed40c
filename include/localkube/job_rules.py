"""One Job: what a failed pod means for it, when it is over and why, and which index is next."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

from localkube.defaults import admitted
from localkube.objects import Json, Obj, lookup, seconds

FINALIZER = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
_LONGEST_BACKOFF = 600.0


@dataclass(frozen=True)
class Verdict:
    """The condition that announces the end, FailureTarget or SuccessCriteriaMet, with reason and message."""

    target: str
    reason: str
    message: str


def announced(job: Obj) -> Verdict | None:
    """The verdict that the conditions of a Job tell of."""
    for kind in ("FailureTarget", "SuccessCriteriaMet"):
        if job.is_true(kind):
            told = job.condition(kind)
            return Verdict(kind, told.get("reason", ""), told.get("message", ""))
    return None


def decide(job: Obj, status: Json, failed_indexes: int, active: list[Obj]) -> Verdict | None:
    """The verdict on a Job with this status and these active pods, or None while it goes on."""
    spec, succeeded, start = job["spec"], status.get("succeeded", 0), status.get("startTime")
    wanted, deadline, most = map(spec.get, ("completions", "activeDeadlineSeconds", "maxFailedIndexes"))
    if deadline is not None and start and not spec["suspend"] and time.time() - seconds(start) >= deadline:
        return Verdict("FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline")
    if status.get("failed", 0) > spec["backoffLimit"] or _restarted_too_often(spec, active):
        return Verdict("FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    if most is not None and failed_indexes > most:
        message = "Job has exceeded the specified maximal number of failed indexes"
        return Verdict("FailureTarget", "MaxFailedIndexesExceeded", message)
    if failed_indexes and succeeded + failed_indexes >= wanted:
        return Verdict("FailureTarget", "FailedIndexes", "Job has failed indexes")
    if (succeeded > 0 and not active) if wanted is None else succeeded >= wanted:
        message = "Reached expected number of succeeded pods"
        return Verdict("SuccessCriteriaMet", "CompletionsReached", message)
    return None


def _restarted_too_often(spec: Json, active: list[Obj]) -> bool:
    """With restartPolicy OnFailure the restarts of containers count against the backoff limit."""
    restarts = sum(one["restartCount"] for pod in active for one in pod.container_statuses)
    in_place = spec["template"]["spec"]["restartPolicy"] == "OnFailure"
    return bool(in_place and restarts > 0 and restarts >= spec["backoffLimit"])


def action_for(job: Obj, pod: Obj) -> tuple[str, str]:
    """The action of the first rule of the podFailurePolicy that matches a failed pod, and why it does.

    Count where none does.
    """
    for n, rule in enumerate(job.at("spec.podFailurePolicy.rules") or ()):
        if why := _match(rule, pod):
            return rule["action"], f"{why} matching {rule['action']} rule at index {n}"
    return "Count", ""


def _match(rule: Json, pod: Obj) -> str:
    """What of a pod matches a rule, if anything does."""
    for pattern in rule.get("onPodConditions") or ():
        if pod.condition(pattern["type"]).get("status") == pattern["status"]:
            return f"Pod {pod.namespace}/{pod.name} has condition {pattern['type']}"
    wanted = rule.get("onExitCodes") or {}
    for one in pod.container_statuses if wanted else ():
        code, name = lookup(one, "state.terminated.exitCode"), one["name"]
        meant = code and wanted.get("containerName") in (None, name)
        if meant and (code in wanted["values"]) is (wanted["operator"] == "In"):
            return f"Container {name} for pod {pod.namespace}/{pod.name} failed with exit code {code}"
    return ""


def compress(indexes: Iterable[int]) -> str:
    """Completion indexes as ranges, "0-3,5,9"; two neighbours have a comma between them, as in Kubernetes."""
    parts: list[str] = []
    for _, group in groupby(enumerate(sorted(indexes)), lambda pair: pair[1] - pair[0]):
        run = [str(index) for _, index in group]
        parts += run if len(run) < 3 else [f"{run[0]}-{run[-1]}"]
    return ",".join(parts)


def expand(text: str | None) -> set[int]:
    """The set of indexes that `compress` wrote."""
    indexes: set[int] = set()
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        indexes.update(range(int(first), int(last or first) + 1))
    return indexes


def uncounted(pod: Obj) -> bool:
    """Whether the pod still bears the finalizer that says it is not counted."""
    return FINALIZER in pod.finalizers


def index_of(pod: Obj) -> int:
    """The completion index, -1 for a pod that has none."""
    return int(pod.annotations.get(INDEX, -1))


def pod_spec(job: Obj) -> Json:
    """The spec that the pods of a Job share; with indexes, containers learn theirs from an annotation."""
    spec = admitted(job["spec"]["template"]["spec"])
    field_path = {"apiVersion": "v1", "fieldPath": f"metadata.annotations['{INDEX}']"}
    variable = {"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": field_path}}
    for kind in ("initContainers", "containers"):
        if kind in spec and job["spec"]["completionMode"] == "Indexed":
            spec[kind] = [{**one, "env": [*(one.get("env") or ()), variable]} for one in spec[kind]]
    return spec


@dataclass
class Progress:
    """The state of one Job; -1 stands for the Job as a whole where others are indexes."""

    uid: str
    spec: Json  # that its pods share
    completed: set[int]
    failed_indexes: set[int]
    pods: dict[str, Obj] = field(default_factory=dict)  # not counted yet, by name
    terminating: set[str] = field(default_factory=set)  # pods being deleted that have not ended
    failures: dict[int, int] = field(default_factory=dict)
    _not_before: dict[int, float] = field(default_factory=dict)  # when a failed one may be tried again

    def take(self, pod: Obj, gone: bool = False) -> None:
        """Take note of a pod as it is now."""
        self.pods.pop(pod.name, None)
        self.terminating.discard(pod.name)
        if not gone and uncounted(pod):
            self.pods[pod.name] = pod
        if not gone and pod.deleting and not pod.finished:
            self.terminating.add(pod.name)

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

"""The Job controller: keeps as many pods as a Job wants, counts each that ends exactly once, decides the end.

A pod bears a finalizer until it is counted, and counting (status of the Job) and letting go (finalizer of the
pod) are committed together: a kill at any moment loses no pod and counts none twice. What has been counted is
in the Job's status, so a round looks only at pods that are not counted yet.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from localkube.controller import Controller
from localkube.database import Key
from localkube.defaults import JOB_FINALIZER, pod_of
from localkube.events import Events
from localkube.garbage import delete
from localkube.indexes import compress, expand
from localkube.job_policy import action_for
from localkube.job_verdict import Verdict, decide, has_ended, target_of
from localkube.objects import (
    Obj,
    controller_of,
    deleting,
    finished,
    is_true,
    lookup,
    name_of,
    namespace_of,
    now,
    set_condition,
    with_metadata,
)
from localkube.store import Event, Store, generated_name

_INDEX = "batch.kubernetes.io/job-completion-index"
_FAILURES = "batch.kubernetes.io/job-index-failure-count"
_BATCH = 100  # pods made in one round, so that a large Job does not hold up the API
_LONGEST_BACKOFF = 600.0
_COMPONENT = "job-controller"


@dataclass
class Progress:
    """What the controller knows of one Job beside its status."""

    uid: str
    completed: set[int]
    failed_indexes: set[int]
    pods: dict[str, Obj] = field(default_factory=dict)  # not counted yet, by name
    failures: dict[int, int] = field(default_factory=dict)  # of an index, or of the whole Job (-1)
    not_before: dict[int, float] = field(
        default_factory=dict
    )  # when an index (-1: the Job) may be tried again
    free: list[int] = field(default_factory=list)  # heap of indexes that have neither pod nor verdict
    queued: set[int] = field(default_factory=set)  # those in the heap
    offered: int = 0  # indexes below this have been offered
    terminating: set[str] = field(default_factory=set)  # pods being deleted that have not ended
    spec: Obj = field(default_factory=dict)  # pod spec of an Indexed Job

    def take(self, pod: Obj, gone: bool = False) -> None:
        """Take note of a pod as it is now."""
        name = name_of(pod)
        if not gone and _uncounted(pod):
            self.pods[name] = pod
        else:
            self.pods.pop(name, None)
        if not gone and deleting(pod) and not finished(pod):
            self.terminating.add(name)
        else:
            self.terminating.discard(name)

    def offer(self, indexes: Iterable[int]) -> None:
        """These indexes need a pod (again)."""
        for index in indexes:
            if index >= 0 and index not in self.queued:
                self.queued.add(index)
                heapq.heappush(self.free, index)

    def extend(self, completions: int) -> None:
        """Offer the indexes a Job has that were never offered, or were beyond its end for a while."""
        if completions > self.offered:
            busy = (
                self.completed
                | self.failed_indexes
                | {_index(pod) for pod in self.pods.values() if not deleting(pod)}
            )
            self.offer(index for index in range(self.offered, completions) if index not in busy)
        self.offered = completions


class JobController(Controller[Key]):
    """Works off Jobs, and pods whose Job is gone; backoff is the first delay before a retry, in seconds."""

    period = 0.05

    def __init__(self, store: Store, events: Events, backoff: float) -> None:
        super().__init__()
        self._store, self._events, self._backoff = store, events, backoff
        self._progress: dict[Key, Progress] = {}
        store.subscribe("jobs", self._note_job)
        store.subscribe("pods", self._note_pod)
        for job in store.objects("jobs"):
            self.enqueue(_key("jobs", job))
        for pod in store.objects("pods"):
            self._release_orphan(pod)

    # -- taking note

    def _note_job(self, event: Event) -> None:
        key = _key("jobs", event.new)
        if event.type == "DELETED":
            progress = self._progress.pop(key, None)
            for pod in list(progress.pods.values()) if progress else ():
                self._let_go(pod)
        else:
            self.enqueue(key)

    def _note_pod(self, event: Event) -> None:
        owner = controller_of(event.new)
        if owner is None or owner["kind"] != "Job":
            self._release_orphan(event.new)
            return
        key = ("jobs", namespace_of(event.new), str(owner["name"]))
        progress = self._progress.get(key)
        if progress is not None and progress.uid == owner["uid"]:
            progress.take(event.new, gone=event.type == "DELETED")
            self.enqueue(key)
        elif event.type != "DELETED":
            self._release_orphan(event.new)

    def _release_orphan(self, pod: Obj) -> None:
        """Let go of a pod whose Job is gone; nobody will count it."""
        owner = controller_of(pod)
        if _uncounted(pod) and (owner is None or owner["uid"] not in self._store.uids):
            self.enqueue(_key("pods", pod))

    def _let_go(self, pod: Obj) -> None:
        current = self._store.get(*_key("pods", pod))
        if current is not None and _uncounted(current):
            left = [one for one in current["metadata"]["finalizers"] if one != JOB_FINALIZER]
            self._store.update("pods", with_metadata(current, finalizers=left or None))

    # -- working

    def sync(self, key: Key) -> None:
        obj = self._store.get(*key)
        if obj is None or has_ended(obj):
            return
        if key[0] == "pods":
            return self._let_go(obj)
        progress = self._progress.get(key)
        if progress is None or progress.uid != obj["metadata"]["uid"]:
            progress = self._progress[key] = self._begin(obj)
        if not deleting(obj):
            self._work(obj, progress)
            return
        for pod in list(progress.pods.values()):
            if finished(pod):
                self._let_go(pod)

    def _work(self, job: Obj, progress: Progress) -> None:
        status = dict(job.get("status") or {})
        conditions = list(status.get("conditions") or ())
        counted = self._count(job, progress, status)
        active = [pod for pod in progress.pods.values() if not finished(pod) and not deleting(pod)]
        verdict = (
            target_of(conditions)
            or counted
            or decide(job, status, len(progress.completed), len(progress.failed_indexes), active)
        )
        if verdict is not None:
            conditions = self._conclude(job, progress, status, conditions, verdict, active)
            active = []
        else:
            conditions = self._suspend_or_resume(job, status, conditions)
            active = self._manage(job, progress, status, active)
        self._report(job, progress, status, conditions, active)

    def _begin(self, job: Obj) -> Progress:
        """What can be known of a Job when it is first seen, or again after a restart."""
        status = job.get("status") or {}
        progress = Progress(
            job["metadata"]["uid"],
            expand(status.get("completedIndexes")),
            expand(status.get("failedIndexes")),
        )
        for resource, namespace, name in self._store.owned.get(progress.uid, ()):
            pod = self._store.get(resource, namespace, name)
            if pod is None:
                continue
            progress.take(pod)
            failures = int((pod["metadata"].get("annotations") or {}).get(_FAILURES, 0))
            if (
                not _uncounted(pod)
                and lookup(pod, "status.phase") == "Failed"
                and action_for(job, pod)[0] == "Count"
            ):
                failures += 1
            progress.failures[_index(pod)] = max(failures, progress.failures.get(_index(pod), 0))
        return progress

    def _count(self, job: Obj, progress: Progress, status: Obj) -> Verdict | None:
        """Count the pods that ended since the last round; a verdict if one of them fails the whole Job."""
        verdict: Verdict | None = None
        only_failed = job["spec"]["podReplacementPolicy"] == "Failed"
        for pod in list(progress.pods.values()):
            phase = lookup(pod, "status.phase")
            if phase == "Succeeded":
                self._succeeded(job, progress, status, pod)
            elif phase == "Failed" or (deleting(pod) and not only_failed):
                verdict = self._failed(job, progress, status, pod) or verdict
            else:
                continue
            progress.pods.pop(name_of(pod), None)
            self._let_go(pod)
        return verdict

    def _succeeded(self, job: Obj, progress: Progress, status: Obj, pod: Obj) -> None:
        index = _index(pod)
        if job["spec"]["completionMode"] == "Indexed":
            if 0 <= index < _completions(job):
                progress.completed.add(index)
                status["succeeded"] = len(progress.completed)
                status.pop("completedIndexes", None)  # written anew by _report
        else:
            status["succeeded"] = status.get("succeeded", 0) + 1
            progress.failures.pop(-1, None)

    def _failed(self, job: Obj, progress: Progress, status: Obj, pod: Obj) -> Verdict | None:
        spec, index = job["spec"], _index(pod)
        action, message = action_for(job, pod)
        if action == "Ignore":
            progress.offer([index])
            return None
        status["failed"] = status.get("failed", 0) + 1
        per_index = spec.get("backoffLimitPerIndex")
        scope = index if per_index is not None else -1
        progress.failures[scope] = failures = progress.failures.get(scope, 0) + 1
        progress.not_before[scope] = time.time() + min(
            self._backoff * 2.0 ** min(failures - 1, 30), _LONGEST_BACKOFF
        )
        if action == "FailJob":
            return Verdict("FailureTarget", "PodFailurePolicy", message)
        if per_index is not None and index >= 0 and (action == "FailIndex" or failures > per_index):
            progress.failed_indexes.add(index)
        else:
            progress.offer([index])
        return None

    # -- the number of pods

    def _suspend_or_resume(self, job: Obj, status: Obj, conditions: list[Obj]) -> list[Obj]:
        suspended = any(one["type"] == "Suspended" and one["status"] == "True" for one in conditions)
        if job["spec"]["suspend"] and not suspended:
            status.pop("startTime", None)
            self._events.record(job, "Suspended", "Job suspended", _COMPONENT)
            return set_condition(conditions, "Suspended", True, "JobSuspended", "Job suspended")
        if not job["spec"]["suspend"] and suspended:
            self._events.record(job, "Resumed", "Job resumed", _COMPONENT)
            conditions = set_condition(conditions, "Suspended", False, "JobResumed", "Job resumed")
        if not job["spec"]["suspend"] and not status.get("startTime"):
            status["startTime"] = now()
            if deadline := job["spec"].get("activeDeadlineSeconds"):
                self.enqueue(_key("jobs", job), after=deadline + 0.01)
        return conditions

    def _manage(self, job: Obj, progress: Progress, status: Obj, active: list[Obj]) -> list[Obj]:
        """Make or delete pods until there are as many as wanted; returns the active ones."""
        spec = job["spec"]
        wanted = 0 if spec["suspend"] else spec["parallelism"]
        if spec["completionMode"] == "Indexed":
            progress.extend(_completions(job))
            outside = [pod for pod in active if _index(pod) >= _completions(job)]
            active = self._withdraw(job, progress, outside, active)
        elif spec.get("completions") is not None:
            wanted = min(wanted, spec["completions"] - status.get("succeeded", 0))
        elif status.get("succeeded"):
            wanted = min(wanted, len(active))
        if len(active) > wanted:
            surplus = sorted(active, key=lambda pod: (is_true(pod, "Ready"), -_index(pod)))[
                : len(active) - wanted
            ]
            return self._withdraw(job, progress, surplus, active)
        if spec["podReplacementPolicy"] == "Failed":
            wanted -= len(progress.terminating)
        return active + self._make(job, progress, wanted - len(active))

    def _withdraw(self, job: Obj, progress: Progress, pods: list[Obj], active: list[Obj]) -> list[Obj]:
        """Delete pods that are too many; they are let go first, so that they do not count as failed."""
        for pod in pods:
            self._let_go(pod)
            progress.offer([_index(pod)])
        self._delete(job, pods)
        gone = {name_of(pod) for pod in pods}
        return [pod for pod in active if name_of(pod) not in gone]

    def _delete(self, job: Obj, pods: list[Obj]) -> None:
        for pod in pods:
            current = self._store.get(*_key("pods", pod))
            if current is not None:
                delete(self._store, "pods", current)
                self._events.record(job, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", _COMPONENT)

    def _make(self, job: Obj, progress: Progress, count: int) -> list[Obj]:
        key, later = _key("jobs", job), list[int]()
        made: list[Obj] = []
        indexed = job["spec"]["completionMode"] == "Indexed"
        wait = progress.not_before.get(-1, 0.0) - time.time()
        if count > 0 and wait > 0:
            self.enqueue(key, after=wait)
            return []
        while len(made) < min(count, _BATCH) and (progress.free or not indexed):
            index = heapq.heappop(progress.free) if indexed else -1
            progress.queued.discard(index)
            if indexed and (
                index in progress.completed or index in progress.failed_indexes or index >= _completions(job)
            ):
                continue
            wait = progress.not_before.get(index, 0.0) - time.time()
            if indexed and wait > 0:
                later.append(index)
                self.enqueue(key, after=wait)
                continue
            made.append(self._pod(job, progress, index))
        progress.offer(later)
        if count > len(made) == _BATCH:
            self.enqueue(key)
        return made

    def _pod(self, job: Obj, progress: Progress, index: int) -> Obj:
        name, template = name_of(job), job["spec"]["template"]
        if index < 0:
            pod = pod_of(template, job, generated_name(f"{name}-"), finalizers=[JOB_FINALIZER])
        else:
            notes = {_INDEX: str(index)}
            if job["spec"].get("backoffLimitPerIndex") is not None:
                notes[_FAILURES] = str(progress.failures.get(index, 0))
            progress.spec = progress.spec or _indexed_spec(template["spec"])
            pod = pod_of(
                template,
                job,
                generated_name(f"{name}-{index}-"),
                spec={**progress.spec, "hostname": f"{name}-{index}"},
                labels={_INDEX: str(index)},
                annotations=notes,
                finalizers=[JOB_FINALIZER],
            )
            pod["metadata"]["generateName"] = f"{name}-{index}-"
        pod = self._store.create("pods", pod)
        self._events.record(job, "SuccessfulCreate", f"Created pod: {name_of(pod)}", _COMPONENT)
        return pod

    # -- the end and the status

    def _conclude(
        self,
        job: Obj,
        progress: Progress,
        status: Obj,
        conditions: list[Obj],
        verdict: Verdict,
        active: list[Obj],
    ) -> list[Obj]:
        """Announce the verdict, end the pods that are left, and add the last condition once they are gone."""
        conditions = set_condition(conditions, verdict.target, True, verdict.reason, verdict.message)
        self._delete(job, active)
        if progress.terminating or any(not finished(pod) for pod in progress.pods.values()):
            return conditions
        if verdict.target == "FailureTarget":
            self._events.record(job, verdict.reason, verdict.message, _COMPONENT, warning=True)
            return set_condition(conditions, "Failed", True, verdict.reason, verdict.message)
        self._events.record(job, "Completed", "Job completed", _COMPONENT)
        status["completionTime"] = now()
        return set_condition(conditions, "Complete", True, verdict.reason, verdict.message)

    def _report(
        self, job: Obj, progress: Progress, status: Obj, conditions: list[Obj], active: list[Obj]
    ) -> None:
        """Write the status, if anything in it changed."""
        spec = job["spec"]
        if spec["completionMode"] == "Indexed":
            if progress.completed and not status.get("completedIndexes"):
                status["completedIndexes"] = compress(progress.completed)
            if spec.get("backoffLimitPerIndex") is not None:
                status["failedIndexes"] = compress(progress.failed_indexes)
        status |= {
            "active": len(active),
            "ready": sum(is_true(pod, "Ready") for pod in active),
            "terminating": len(progress.terminating),
            "conditions": conditions,
            "uncountedTerminatedPods": {},
        }
        status = {
            key: value
            for key, value in status.items()
            if value not in (None, []) and (key, value) not in _ZERO
        }
        current = self._store.get(*_key("jobs", job))
        if current is not None:
            self._store.update("jobs", {**current, "status": status})


_ZERO = (("active", 0), ("succeeded", 0), ("failed", 0))  # left out of a status, as in Kubernetes


def _key(resource: str, obj: Obj) -> Key:
    return resource, namespace_of(obj), name_of(obj)


def _indexed_spec(spec: Obj) -> Obj:
    """The pod spec all indexes share: each container learns its index from the pod's annotation."""
    variable = {
        "name": "JOB_COMPLETION_INDEX",
        "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.annotations['{_INDEX}']"}},
    }
    return {
        **spec,
        **{
            kind: [{**one, "env": [*(one.get("env") or ()), variable]} for one in spec[kind]]
            for kind in ("initContainers", "containers")
            if spec.get(kind)
        },
    }


def _uncounted(pod: Obj) -> bool:
    return JOB_FINALIZER in (pod["metadata"].get("finalizers") or ())


def _index(pod: Obj) -> int:
    return int((pod["metadata"].get("annotations") or {}).get(_INDEX, -1))


def _completions(job: Obj) -> int:
    return int(job["spec"]["completions"]) if job["spec"]["completionMode"] == "Indexed" else 0

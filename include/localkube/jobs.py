"""The Job controller: counts each pod that ends exactly once, decides the end of the Job, reports its status.

A pod bears a finalizer until it is counted, and counting (status of the Job) and letting go (finalizer of the
pod) are committed together: a kill at any moment loses no pod and counts none twice. What has been counted is
in the Job's status, so a round looks only at pods that are not counted yet.
"""

from __future__ import annotations

from localkube.controller import Controller
from localkube.database import Key
from localkube.events import Events
from localkube.indexes import compress, expand
from localkube.job_pods import COMPONENT, JobPods, completions_of, key_of, pod_spec
from localkube.job_policy import action_for
from localkube.job_progress import FAILURES, Progress, index_of, uncounted
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
)
from localkube.store import Event, Store

_ABSENT = (("active", 0), ("succeeded", 0), ("failed", 0))  # left out of a status, as in Kubernetes


class JobController(Controller[Key]):
    """Works off Jobs, and pods whose Job is gone; backoff is the first delay before a retry, in seconds."""

    period = 0.05

    def __init__(self, store: Store, events: Events, backoff: float) -> None:
        super().__init__()
        self._store, self._events, self._backoff = store, events, backoff
        self._pods = JobPods(store, events)
        self._progress: dict[Key, Progress] = {}
        store.subscribe("jobs", self._note_job)
        store.subscribe("pods", self._note_pod)
        for job in store.objects("jobs"):
            self.enqueue(key_of("jobs", job))
        for pod in store.objects("pods"):
            self._note_orphan(pod)

    def _note_job(self, event: Event) -> None:
        key = key_of("jobs", event.new)
        if event.type != "DELETED":
            self.enqueue(key)
        elif progress := self._progress.pop(key, None):
            for pod in progress.pods.values():
                self.enqueue(key_of("pods", pod))

    def _note_pod(self, event: Event) -> None:
        owner = controller_of(event.new) or {}
        key = ("jobs", namespace_of(event.new), str(owner.get("name")))
        progress = self._progress.get(key)
        if progress is not None and progress.uid == owner["uid"]:
            progress.take(event.new, gone=event.type == "DELETED")
            self.enqueue(key)
        elif event.type != "DELETED":
            self._note_orphan(event.new)

    def _note_orphan(self, pod: Obj) -> None:
        owner = controller_of(pod)
        if uncounted(pod) and (owner is None or owner["uid"] not in self._store.uids):
            self.enqueue(key_of("pods", pod))

    def sync(self, key: Key) -> None:
        obj = self._store.get(*key)
        if obj is None or has_ended(obj):
            return
        if key[0] == "pods":
            return self._pods.let_go(obj)
        progress = self._progress.get(key)
        if progress is None or progress.uid != obj["metadata"]["uid"]:
            progress = self._progress[key] = self._begin(obj)
        if not deleting(obj):
            self._work(obj, progress)
            return
        for pod in list(progress.pods.values()):
            if finished(pod):
                self._pods.let_go(pod)

    def _begin(self, job: Obj) -> Progress:
        """What can be known of a Job when it is first seen, or again after a restart."""
        status, uid = job.get("status") or {}, job["metadata"]["uid"]
        progress = Progress(uid, expand(status.get("completedIndexes")), expand(status.get("failedIndexes")))
        pods = [pod for key in self._store.owned.get(uid, ()) if (pod := self._store.get(*key))]
        progress.begin(pods)
        for pod in pods:
            failures = int((pod["metadata"].get("annotations") or {}).get(FAILURES, 0))
            if not uncounted(pod) and lookup(pod, "status.phase") == "Failed":
                failures += action_for(job, pod)[0] == "Count"
            progress.failures[index_of(pod)] = max(failures, progress.failures.get(index_of(pod), 0))
        return progress

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
        if verdict is None:
            conditions = self._suspend_or_resume(job, status, conditions)
            progress.spec = progress.spec or pod_spec(job)
            active, later = self._pods.manage(job, progress, status, active)
            if later is not None:
                self.enqueue(key_of("jobs", job), after=later)
        else:
            conditions = set_condition(conditions, verdict.target, True, verdict.reason, verdict.message)
            self._pods.delete(job, active)
            active = []
            if not progress.terminating and all(finished(pod) for pod in progress.pods.values()):
                conditions = self._conclude(job, status, conditions, verdict)
        self._report(job, progress, status | {"conditions": conditions}, active)

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
            self._pods.let_go(pod)
        return verdict

    def _succeeded(self, job: Obj, progress: Progress, status: Obj, pod: Obj) -> None:
        if job["spec"]["completionMode"] != "Indexed":
            status["succeeded"] = status.get("succeeded", 0) + 1
            progress.failures.pop(-1, None)
        elif index_of(pod) < completions_of(job):
            progress.completed.add(index_of(pod))
            status["succeeded"] = len(progress.completed)
            status.pop("completedIndexes", None)  # written anew by _report

    def _failed(self, job: Obj, progress: Progress, status: Obj, pod: Obj) -> Verdict | None:
        per_index, index = job["spec"].get("backoffLimitPerIndex"), index_of(pod)
        action, message = action_for(job, pod)
        if action == "Ignore":
            progress.again(index)
            return None
        status["failed"] = status.get("failed", 0) + 1
        failures = progress.fail(-1 if per_index is None else index, self._backoff)
        if action == "FailJob":
            return Verdict("FailureTarget", "PodFailurePolicy", message)
        if per_index is not None and (action == "FailIndex" or failures > per_index):
            progress.failed_indexes.add(index)
        else:
            progress.again(index)
        return None

    def _suspend_or_resume(self, job: Obj, status: Obj, conditions: list[Obj]) -> list[Obj]:
        suspended, suspend = is_true(job, "Suspended"), job["spec"]["suspend"]
        if suspend and not suspended:
            status.pop("startTime", None)
            self._events.record(job, "Suspended", "Job suspended", COMPONENT)
            return set_condition(conditions, "Suspended", True, "JobSuspended", "Job suspended")
        if suspended and not suspend:
            self._events.record(job, "Resumed", "Job resumed", COMPONENT)
            conditions = set_condition(conditions, "Suspended", False, "JobResumed", "Job resumed")
        if not suspend and not status.get("startTime"):
            status["startTime"] = now()
            if deadline := job["spec"].get("activeDeadlineSeconds"):
                self.enqueue(key_of("jobs", job), after=deadline + 0.01)
        return conditions

    def _conclude(self, job: Obj, status: Obj, conditions: list[Obj], verdict: Verdict) -> list[Obj]:
        """Add the last condition, once all pods are gone."""
        if verdict.target == "FailureTarget":
            self._events.record(job, verdict.reason, verdict.message, COMPONENT, warning=True)
            return set_condition(conditions, "Failed", True, verdict.reason, verdict.message)
        self._events.record(job, "Completed", "Job completed", COMPONENT)
        status["completionTime"] = now()
        return set_condition(conditions, "Complete", True, verdict.reason, verdict.message)

    def _report(self, job: Obj, progress: Progress, status: Obj, active: list[Obj]) -> None:
        """Write the status, if anything in it changed."""
        if completions_of(job):
            if progress.completed and not status.get("completedIndexes"):
                status["completedIndexes"] = compress(progress.completed)
            if job["spec"].get("backoffLimitPerIndex") is not None:
                status["failedIndexes"] = compress(progress.failed_indexes)
        ready = sum(is_true(pod, "Ready") for pod in active)
        status |= {"active": len(active), "ready": ready, "terminating": len(progress.terminating)}
        status = {key: value for key, value in status.items() if value != [] and (key, value) not in _ABSENT}
        current = self._store.get(*key_of("jobs", job))
        if current is not None:
            self._store.update("jobs", {**current, "status": status | {"uncountedTerminatedPods": {}}})

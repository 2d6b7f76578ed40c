"""The Job controller: counts each pod that ends exactly once, decides the end of the Job, reports its status.

A pod bears a finalizer until it is counted, and counting (status of the Job) and letting go (finalizer of the
pod) are committed together: a kill at any moment loses no pod and counts none twice. What has been counted is
in the Job's status, so a round looks only at pods that are not counted yet.
"""

from localkube import job_rules as rules
from localkube.controller import Controller, Events
from localkube.defaults import JOB_FINALIZER
from localkube.garbage import delete
from localkube.job_rules import Progress, Verdict, index_of, uncounted
from localkube.objects import (
    Key,
    Obj,
    annotations_of,
    controller_of,
    deleting,
    finished,
    is_true,
    key_of,
    lookup,
    name_of,
    namespace_of,
    now,
    set_condition,
    without_finalizer,
)
from localkube.store import Event, Store

_BATCH = 100  # pods made in one round, so that a large Job does not hold up the API
_ABSENT = (("active", 0), ("succeeded", 0), ("failed", 0))  # left out of a status, as in Kubernetes


class JobController(Controller):
    """Works off Jobs, and pods whose Job is gone; backoff is the first delay before a retry, in seconds."""

    component, period = "job-controller", 0.05

    def __init__(self, store: Store, events: Events, backoff: float) -> None:
        super().__init__(store, events)
        self._backoff = backoff
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
        owner = controller_of(event.new)
        key = ("jobs", namespace_of(event.new), str(owner.get("name")))
        progress = self._progress.get(key)
        if progress is not None and progress.uid == owner["uid"]:
            progress.take(event.new, gone=event.type == "DELETED")
            self.enqueue(key)
        elif event.type != "DELETED":
            self._note_orphan(event.new)

    def _note_orphan(self, pod: Obj) -> None:
        if uncounted(pod) and controller_of(pod).get("uid") not in self._store.uids:
            self.enqueue(key_of("pods", pod))

    def sync(self, key: Key) -> None:
        obj = self._store.get(*key)
        if obj is None or rules.has_ended(obj):
            return
        if key[0] == "pods":
            return self._let_go(obj)
        progress = self._progress.get(key)
        if progress is None or progress.uid != obj["metadata"]["uid"]:
            progress = self._progress[key] = self._begin(obj)
        if not deleting(obj):
            return self._work(obj, progress)
        for pod in list(progress.pods.values()):
            if finished(pod):
                self._let_go(pod)

    def _begin(self, job: Obj) -> Progress:
        """What can be known of a Job when it is first seen, or again after a restart."""
        status = job.get("status") or {}
        completed, failed = (
            rules.expand(status.get("completedIndexes")),
            rules.expand(status.get("failedIndexes")),
        )
        progress = Progress(job["metadata"]["uid"], rules.pod_spec(job), completed, failed)
        for _, pod in self._store.dependents(job):
            progress.take(pod)
            failures = int(annotations_of(pod).get(rules.FAILURES, 0))
            if not uncounted(pod) and lookup(pod, "status.phase") == "Failed":
                failures += rules.action_for(job, pod)[0] == "Count"
            progress.failures[index_of(pod)] = max(failures, progress.failures.get(index_of(pod), 0))
        return progress

    def _work(self, job: Obj, progress: Progress) -> None:
        status = dict(job.get("status") or {})
        conditions = list(status.get("conditions") or ())
        counted = self._count(job, progress, status)
        active = [pod for pod in progress.pods.values() if not finished(pod) and not deleting(pod)]
        verdict = (
            rules.announced(conditions)
            or counted
            or rules.decide(job, status, len(progress.failed_indexes), active)
        )
        if verdict is None:
            conditions = self._suspend_or_resume(job, status, conditions)
            active = self._manage(job, progress, status, active)
        else:
            conditions = set_condition(conditions, verdict.target, True, verdict.reason, verdict.message)
            self._give_up(job, progress, status, verdict)
            active = []
            if not progress.terminating:
                conditions = self._conclude(job, status, conditions, verdict)
        self._report(job, progress, status | {"conditions": conditions}, active)

    def _count(self, job: Obj, progress: Progress, status: Obj) -> Verdict | None:
        """Count the pods that ended since the last round; a verdict if one of them fails the whole Job."""
        verdict: Verdict | None = None
        only_failed = job["spec"]["podReplacementPolicy"] == "Failed"
        for pod in list(progress.pods.values()):
            if lookup(pod, "status.phase") == "Succeeded":
                self._succeeded(job, progress, status, pod)
            elif lookup(pod, "status.phase") == "Failed" or (deleting(pod) and not only_failed):
                verdict = self._failed(job, progress, status, pod) or verdict
            else:
                continue
            self._let_go(pod)
        return verdict

    def _succeeded(self, job: Obj, progress: Progress, status: Obj, pod: Obj) -> None:
        if job["spec"]["completionMode"] != "Indexed":
            status["succeeded"] = status.get("succeeded", 0) + 1
            progress.failures.pop(-1, None)
        elif index_of(pod) < job["spec"]["completions"]:
            progress.completed.add(index_of(pod))
            status["succeeded"] = len(progress.completed)
            status.pop("completedIndexes", None)  # written anew by _report

    def _failed(self, job: Obj, progress: Progress, status: Obj, pod: Obj) -> Verdict | None:
        per_index, index = job["spec"].get("backoffLimitPerIndex"), index_of(pod)
        action, message = rules.action_for(job, pod)
        if action == "Ignore":
            return None
        status["failed"] = status.get("failed", 0) + 1
        failures = progress.fail(-1 if per_index is None else index, self._backoff)
        if action == "FailJob":
            return Verdict("FailureTarget", "PodFailurePolicy", message)
        if per_index is not None and (action == "FailIndex" or failures > per_index):
            progress.failed_indexes.add(index)
        return None

    def _suspend_or_resume(self, job: Obj, status: Obj, conditions: list[Obj]) -> list[Obj]:
        suspended, suspend = is_true(job, "Suspended"), job["spec"]["suspend"]
        if suspend and not suspended:
            status.pop("startTime", None)
        if suspend is not suspended:
            reason, message = ("JobSuspended", "Job suspended") if suspend else ("JobResumed", "Job resumed")
            self.tell(job, reason.removeprefix("Job"), message)
            conditions = set_condition(conditions, "Suspended", suspend, reason, message)
        if not suspend and not status.get("startTime"):
            status["startTime"] = now()
            if deadline := job["spec"].get("activeDeadlineSeconds"):
                self.enqueue(key_of("jobs", job), after=deadline + 0.01)
        return conditions

    def _manage(self, job: Obj, progress: Progress, status: Obj, active: list[Obj]) -> list[Obj]:
        """Make or delete pods until there are as many active ones as wanted; returns those."""
        spec = job["spec"]
        completions, indexed = spec.get("completions"), spec["completionMode"] == "Indexed"
        wanted = 0 if spec["suspend"] else spec["parallelism"]
        if indexed:
            active = self._withdraw(job, [pod for pod in active if index_of(pod) >= completions], active)
        elif completions is not None:
            wanted = min(wanted, completions - status.get("succeeded", 0))
        elif status.get("succeeded"):
            wanted = min(wanted, len(active))
        if len(active) > wanted:
            least = sorted(active, key=lambda pod: (is_true(pod, "Ready"), -index_of(pod)))
            return self._withdraw(job, least[: len(active) - wanted], active)
        missing = wanted - len(active)
        if spec["podReplacementPolicy"] == "Failed":
            missing -= len(progress.terminating)
        indexes, later = progress.next_indexes(min(missing, _BATCH), completions if indexed else None)
        made = [self._store.create("pods", rules.new_pod(job, progress, index)) for index in indexes]
        for pod in made:
            self.tell(job, "SuccessfulCreate", f"Created pod: {name_of(pod)}")
        if len(made) == _BATCH:
            later = 0.0
        if later is not None:
            self.enqueue(key_of("jobs", job), after=later)
        return active + made

    def _withdraw(self, job: Obj, pods: list[Obj], active: list[Obj]) -> list[Obj]:
        """Delete pods that are too many; let go first, they do not count as failed. Returns the others."""
        for pod in pods:
            self._let_go(pod)
            if (current := self._store.get(*key_of("pods", pod))) is not None and not deleting(current):
                delete(self._store, "pods", current)
                self.tell(job, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")
        gone = {name_of(pod) for pod in pods}
        return [pod for pod in active if name_of(pod) not in gone]

    def _give_up(self, job: Obj, progress: Progress, status: Obj, verdict: Verdict) -> None:
        """Delete what still runs. It counts as failed when the Job fails, but its indexes do not.

        So failedIndexes stays what it was when the Job failed, as with the controller of Kubernetes.
        """
        if verdict.target == "FailureTarget":
            status["failed"] = status.get("failed", 0) + len(progress.pods)
        self._withdraw(job, list(progress.pods.values()), [])

    def _let_go(self, pod: Obj) -> None:
        """Take the finalizer off: the pod is counted, or nobody is going to count it."""
        current = self._store.get(*key_of("pods", pod))
        if current is not None:
            self._store.update("pods", without_finalizer(current, JOB_FINALIZER))

    def _conclude(self, job: Obj, status: Obj, conditions: list[Obj], verdict: Verdict) -> list[Obj]:
        """Add the last condition, once all pods are gone."""
        if verdict.target == "FailureTarget":
            self.tell(job, verdict.reason, verdict.message, warning=True)
            return set_condition(conditions, "Failed", True, verdict.reason, verdict.message)
        self.tell(job, "Completed", "Job completed")
        status["completionTime"] = now()
        return set_condition(conditions, "Complete", True, verdict.reason, verdict.message)

    def _report(self, job: Obj, progress: Progress, status: Obj, active: list[Obj]) -> None:
        """Write the status, if anything in it changed."""
        if progress.completed and not status.get("completedIndexes"):
            status["completedIndexes"] = rules.compress(progress.completed)
        if job["spec"].get("backoffLimitPerIndex") is not None:
            status["failedIndexes"] = rules.compress(progress.failed_indexes)
        ready = sum(is_true(pod, "Ready") for pod in active)
        status |= {"active": len(active), "ready": ready, "terminating": len(progress.terminating)}
        status = {key: value for key, value in status.items() if value != [] and (key, value) not in _ABSENT}
        current = self._store.get(*key_of("jobs", job))
        if current is not None:
            self._store.update("jobs", {**current, "status": status | {"uncountedTerminatedPods": {}}})

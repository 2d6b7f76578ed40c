"""The Job controller: counts each pod that ends exactly once, decides the end of the Job, reports its status.

A pod bears a finalizer until it is counted, and counting (status of the Job) and letting go (finalizer of the
pod) are committed together: a kill at any moment loses no pod and counts none twice. What has been counted is
in the Job's status, so a round looks only at pods that are not counted yet.
"""

from localkube import job_rules as rules
from localkube.controller import Controller
from localkube.events import Events
from localkube.garbage import delete
from localkube.job_rules import Progress, Verdict, index_of, uncounted
from localkube.objects import Json, Key, Obj, now
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
            self.enqueue(job.key("jobs"))
        for pod in store.objects("pods"):
            self._note_orphan(pod)

    def _note_job(self, event: Event) -> None:
        key = event.new.key("jobs")
        if event.type != "DELETED":
            self.enqueue(key)
        elif progress := self._progress.pop(key, None):
            for pod in progress.pods.values():
                self.enqueue(pod.key("pods"))

    def _note_pod(self, event: Event) -> None:
        owner = event.new.controller
        key = ("jobs", event.new.namespace, str(owner.get("name")))
        progress = self._progress.get(key)
        if progress is not None and progress.uid == owner["uid"]:
            progress.take(event.new, gone=event.type == "DELETED")
            self.enqueue(key)
        elif event.type != "DELETED":
            self._note_orphan(event.new)

    def _note_orphan(self, pod: Obj) -> None:
        if uncounted(pod) and pod.controller.get("uid") not in self.store.uids:
            self.enqueue(pod.key("pods"))

    def sync(self, key: Key) -> None:
        obj = self.store.get(*key)
        if obj is None or obj.is_true("Complete") or obj.is_true("Failed"):
            return
        if key[0] == "pods":
            return self._let_go(obj)
        progress = self._progress.get(key)
        if progress is None or progress.uid != obj.uid:
            progress = self._progress[key] = self._begin(obj)
        if not obj.deleting:
            return self._work(obj, progress)
        for pod in list(progress.pods.values()):
            if pod.finished:
                self._let_go(pod)

    def _begin(self, job: Obj) -> Progress:
        """What can be known of a Job when it is first seen, or again after a restart."""
        completed, failed = (
            rules.expand(job.at(f"status.{kind}Indexes")) for kind in ("completed", "failed")
        )
        progress = Progress(job.uid, rules.pod_spec(job), completed, failed)
        for _, pod in self.store.dependents(job):
            progress.take(pod)
            failures = int(pod.annotations.get(rules.FAILURES, 0))
            if not uncounted(pod) and pod.at("status.phase") == "Failed":
                failures += rules.action_for(job, pod)[0] == "Count"
            progress.failures[index_of(pod)] = max(failures, progress.failures.get(index_of(pod), 0))
        return progress

    def _work(self, job: Obj, progress: Progress) -> None:
        status = dict(job["status"])
        counted = self._count(job, progress, status)
        active = [pod for pod in progress.pods.values() if not pod.finished and not pod.deleting]
        failed = len(progress.failed_indexes)
        verdict = rules.announced(job) or counted or rules.decide(job, status, failed, active)
        job = job.replaced(status=status)
        if verdict is None:
            job = self._suspend_or_resume(job)
            active = self._manage(job, progress, active)
        else:
            job, active = self._give_up(job, progress, verdict), []
        self._report(job, progress, active)

    def _count(self, job: Obj, progress: Progress, status: Json) -> Verdict | None:
        """Count the pods that ended since the last round; a verdict if one of them fails the whole Job."""
        verdict: Verdict | None = None
        only_failed = job["spec"]["podReplacementPolicy"] == "Failed"
        for pod in list(progress.pods.values()):
            phase = pod.at("status.phase")
            if phase == "Succeeded":
                self._succeeded(job, progress, status, pod)
            elif phase == "Failed" or (pod.deleting and not only_failed):
                verdict = self._failed(job, progress, status, pod) or verdict
            else:
                continue
            self._let_go(pod)
        return verdict

    def _succeeded(self, job: Obj, progress: Progress, status: Json, pod: Obj) -> None:
        if job["spec"]["completionMode"] != "Indexed":
            status["succeeded"] = status.get("succeeded", 0) + 1
            progress.failures.pop(-1, None)
        elif index_of(pod) < job["spec"]["completions"]:
            progress.completed.add(index_of(pod))
            status["succeeded"] = len(progress.completed)
            status.pop("completedIndexes", None)  # written anew by _report

    def _failed(self, job: Obj, progress: Progress, status: Json, pod: Obj) -> Verdict | None:
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

    def _suspend_or_resume(self, job: Obj) -> Obj:
        suspended, suspend = job.is_true("Suspended"), job["spec"]["suspend"]
        if suspend is not suspended:
            reason, message = ("JobSuspended", "Job suspended") if suspend else ("JobResumed", "Job resumed")
            self.tell(job, reason.removeprefix("Job"), message)
            job = job.with_status(startTime=None).with_condition("Suspended", suspend, reason, message)
        if not suspend and not job.at("status.startTime"):
            job = job.with_status(startTime=now())
            if deadline := job["spec"].get("activeDeadlineSeconds"):
                self.enqueue(job.key("jobs"), after=deadline + 0.01)
        return job

    def _manage(self, job: Obj, progress: Progress, active: list[Obj]) -> list[Obj]:
        """Make or delete pods until there are as many as wanted; returns those that are active then."""
        spec, succeeded = job["spec"], job["status"].get("succeeded", 0)
        completions, indexed = spec.get("completions"), spec["completionMode"] == "Indexed"
        wanted = 0 if spec["suspend"] else spec["parallelism"]
        if indexed:
            active = self._withdraw(job, [pod for pod in active if index_of(pod) >= completions], active)
        elif completions is not None:
            wanted = min(wanted, completions - succeeded)
        elif succeeded:
            wanted = min(wanted, len(active))
        if len(active) > wanted:
            least = sorted(active, key=lambda pod: (pod.is_true("Ready"), -index_of(pod)))
            return self._withdraw(job, least[: len(active) - wanted], active)
        missing = wanted - len(active)
        if spec["podReplacementPolicy"] == "Failed":
            missing -= len(progress.terminating)
        indexes, later = progress.next_indexes(min(missing, _BATCH), completions if indexed else None)
        made = [self._create(job, progress, index) for index in indexes]
        if len(made) == _BATCH:
            later = 0.0
        if later is not None:
            self.enqueue(job.key("jobs"), after=later)
        return active + made

    def _create(self, job: Obj, progress: Progress, index: int) -> Obj:
        """Make a pod for this index, or without one (-1)."""
        prefix, spec, finalizers = f"{job.name}-", progress.spec, [rules.FINALIZER]
        if index < 0:
            return self.create_pod(job, prefix, spec, finalizers=finalizers)
        prefix, own = f"{prefix}{index}-", {rules.INDEX: str(index)}
        spec, annotations = {**spec, "hostname": prefix.rstrip("-")}, dict(own)
        if job["spec"].get("backoffLimitPerIndex") is not None:
            annotations[rules.FAILURES] = str(progress.failures.get(index, 0))
        return self.create_pod(job, prefix, spec, finalizers=finalizers, labels=own, annotations=annotations)

    def _withdraw(self, job: Obj, pods: list[Obj], active: list[Obj]) -> list[Obj]:
        """Delete pods that are too many; let go first, they do not count as failed. Returns the others."""
        for pod in pods:
            self._let_go(pod)
            if (current := self.store.get(*pod.key("pods"))) is not None and not current.deleting:
                delete(self.store, "pods", current)
                self.tell(job, "SuccessfulDelete", f"Deleted pod: {pod.name}")
        gone = {pod.name for pod in pods}
        return [pod for pod in active if pod.name not in gone]

    def _give_up(self, job: Obj, progress: Progress, verdict: Verdict) -> Obj:
        """Delete what still runs, and end the Job once all pods are gone.

        What is deleted counts as failed when the Job fails, but its indexes do not: so failedIndexes stays
        what it was when the Job failed, as with the controller of Kubernetes.
        """
        failed, why = verdict.target == "FailureTarget", (verdict.reason, verdict.message)
        if failed and progress.pods:
            job = job.with_status(failed=job["status"].get("failed", 0) + len(progress.pods))
        self._withdraw(job, list(progress.pods.values()), [])
        job = job.with_condition(verdict.target, True, *why)
        if progress.terminating:
            return job
        self.tell(job, *(why if failed else ("Completed", "Job completed")), warning=failed)
        if failed:
            return job.with_condition("Failed", True, *why)
        return job.with_status(completionTime=now()).with_condition("Complete", True, *why)

    def _let_go(self, pod: Obj) -> None:
        """Take the finalizer off: the pod is counted, or nobody is going to count it."""
        current = self.store.get(*pod.key("pods"))
        if current is not None:
            self.store.update("pods", current.without_finalizer(rules.FINALIZER))

    def _report(self, job: Obj, progress: Progress, active: list[Obj]) -> None:
        """Write the status, if anything in it changed."""
        status = dict(job["status"])
        if progress.completed and not status.get("completedIndexes"):
            status["completedIndexes"] = rules.compress(progress.completed)
        if job["spec"].get("backoffLimitPerIndex") is not None:
            status["failedIndexes"] = rules.compress(progress.failed_indexes)
        ready = sum(pod.is_true("Ready") for pod in active)
        status |= {"active": len(active), "ready": ready, "terminating": len(progress.terminating)}
        status = {key: value for key, value in status.items() if (key, value) not in _ABSENT}
        current = self.store.get(*job.key("jobs"))
        if current is not None:
            self.store.update("jobs", current.replaced(status=status | {"uncountedTerminatedPods": {}}))

"""The Job controller: counts each ended pod exactly once, decides the Job's end, reports its status.

A pod keeps a finalizer until it is counted. Counting (status of the Job) and releasing (finalizer of the pod)
are committed together, so a kill at any moment loses no pod and counts none twice. The counts are read from
the Job's status in every round, which looks only at pods that are not counted yet.
"""

from localkube.controllers import job_rules as rules
from localkube.controllers.controller import Controller
from localkube.controllers.events import Events
from localkube.controllers.garbage import delete
from localkube.controllers.job_rules import Progress, Tally, Verdict, index_of, uncounted
from localkube.objects.object import Json, Key, Obj, now
from localkube.objects.store import Event, Store

_BATCH = 100  # pods created in one round, so that a large Job does not hold up the API
# Left out of a status, as in Kubernetes.
_ABSENT = (("active", 0), ("succeeded", 0), ("failed", 0), ("completedIndexes", ""))


class JobController(Controller):
    """Reconciles Jobs, and pods whose Job is gone; backoff is the first delay before a retry, in seconds."""

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
            for pod in progress.pods:
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
            progress = self._progress[key] = Progress(obj.uid)
            for _, pod in self.store.dependents(obj):
                progress.take(pod)
        if not obj.deleting:
            return self._work(obj, progress)
        for pod in list(progress.ended.values()):
            if pod.finished:
                self._let_go(pod)

    def _work(self, job: Obj, progress: Progress) -> None:
        tally = Tally.of(job)
        self._count(job, progress, tally)
        try:
            if verdict := rules.announced(job) or rules.decide(job, tally):
                job = self._give_up(job, progress, tally, verdict)
            else:
                job = self._suspend_or_resume(job)
                self._manage(job, progress, tally)
        finally:  # the counts are written, whatever else goes wrong
            self._report(job, progress, tally)

    def _count(self, job: Obj, progress: Progress, tally: Tally) -> None:
        """Count the pods that ended since the last round.

        With retries per index a failed pod counts when it is replaced or its index has failed, as in
        Kubernetes; until then its annotations say how often the index has been tried.
        """
        per_index, failed = job["spec"].get("backoffLimitPerIndex"), progress.failed(job)
        busy = {index for name, index in progress.indexes.items() if name not in failed}
        for pod in [pod for pod in progress.ended.values() if pod.at("status.phase") == "Succeeded"]:
            tally.succeed(job, index_of(pod))
            progress.failures = 0
            self._let_go(pod)
        for pod in failed.values():
            action = rules.action_for(job, pod)
            if per_index is None:
                progress.fail(self._backoff)
            elif action == "FailIndex" or rules.attempts(job, pod)[rules.FAILURES] > per_index:
                tally.failed_indexes.add(index_of(pod))
            elif index_of(pod) not in busy:
                continue
            tally.failed += action != "Ignore"
            self._let_go(pod)

    def _suspend_or_resume(self, job: Obj) -> Obj:
        suspended, suspend = job.is_true("Suspended"), job["spec"]["suspend"]
        if suspend is not suspended:
            reason, message = ("JobSuspended", "Job suspended") if suspend else ("JobResumed", "Job resumed")
            self.tell(job, reason.removeprefix("Job"), message)
            job = job.with_status(startTime=None).with_condition("Suspended", suspend, reason, message)
        if not suspend and not job.at("status.startTime"):
            job = job.with_status(startTime=now())
        return job

    def _manage(self, job: Obj, progress: Progress, tally: Tally) -> None:
        """Create or delete pods until there are as many as wanted."""
        spec, active = job["spec"], progress.active
        wanted = 0 if spec["suspend"] else min(spec["parallelism"], spec["completions"] - tally.succeeded)
        if len(active) > wanted:
            least = sorted(active.values(), key=lambda pod: (pod.is_true("Ready"), -index_of(pod)))
            return self._withdraw(job, least[: len(active) - wanted])
        missing = wanted - len(active)
        if spec["podReplacementPolicy"] == "Failed":
            missing -= len(progress.terminating)
        failed = {progress.indexes[name]: pod for name, pod in progress.failed(job).items()}
        most = min(missing, _BATCH)
        indexes, later = progress.next_indexes(job, tally, failed, most, self._backoff)
        pod_spec = rules.pod_spec(job) if indexes else {}
        for index in indexes:
            self._create(job, pod_spec, index, failed.get(index))
        if len(indexes) == _BATCH:
            later = 0.0
        if later is not None:
            self.enqueue(job.key("jobs"), after=later)

    def _create(self, job: Obj, spec: Json, index: int, replaced: Obj | None) -> Obj:
        """Create a pod for this index, or without one (-1)."""
        finalizers = [rules.FINALIZER]
        if index < 0:
            return self.create_pod(job, f"{job.name}-", spec, finalizers=finalizers)
        own, tail = {rules.INDEX: str(index)}, f"-{index}-"
        spec, annotations = {**spec, "hostname": f"{job.name}-{index}"}, dict(own)
        if job["spec"].get("backoffLimitPerIndex") is not None:
            tried = rules.attempts(job, replaced) if replaced else {rules.FAILURES: 0}
            annotations |= {key: str(times) for key, times in tried.items()}
        tracked = {"finalizers": finalizers, "labels": own, "annotations": annotations}
        return self.create_pod(job, job.name + tail, spec, **tracked)

    def _withdraw(self, job: Obj, pods: list[Obj]) -> None:
        """Release pods, so that they do not count, and delete those that run."""
        for pod in pods:
            self._let_go(pod)
            current = self.store.get(*pod.key("pods"))
            if current is not None and not current.deleting and not current.finished:
                delete(self.store, "pods", current)
                self.tell(job, "SuccessfulDelete", f"Deleted pod: {pod.name}")

    def _give_up(self, job: Obj, progress: Progress, tally: Tally, verdict: Verdict) -> Obj:
        """Delete what still runs, and end the Job once all pods are gone.

        Deleted pods count as failed when the Job fails, but their indexes do not: as in Kubernetes,
        failedIndexes stays what it was when the Job failed.
        """
        failed, why = verdict.target == "FailureTarget", (verdict.reason, verdict.message)
        if failed:
            tally.failed += sum(rules.action_for(job, pod) != "Ignore" for pod in progress.pods)
        self._withdraw(job, progress.pods)
        job = job.with_condition(verdict.target, True, *why)
        if progress.terminating:
            return job
        self.tell(job, *(why if failed else ("Completed", "Job completed")), warning=failed)
        if failed:
            return job.with_condition("Failed", True, *why)
        return job.with_status(completionTime=now()).with_condition("Complete", True, *why)

    def _let_go(self, pod: Obj) -> None:
        """Remove the finalizer: the pod is counted, or never will be."""
        current = self.store.get(*pod.key("pods"))
        if current is not None:
            self.store.update("pods", current.without_finalizer(rules.FINALIZER))

    def _report(self, job: Obj, progress: Progress, tally: Tally) -> None:
        status = {**job["status"], **tally.document(), "active": len(progress.active)}
        if job["spec"].get("backoffLimitPerIndex") is None:
            del status["failedIndexes"]
        counts = {"ready": len(progress.ready), "terminating": len(progress.terminating)}
        status |= {**counts, "uncountedTerminatedPods": {}}
        status = {key: value for key, value in status.items() if (key, value) not in _ABSENT}
        self.report("jobs", job, status)

"""The pods of a Job: as many as are wanted, made with what tells a pod its index, deleted when too many."""

from __future__ import annotations

from localkube.database import Key
from localkube.defaults import JOB_FINALIZER, admitted, pod_of
from localkube.events import Events
from localkube.garbage import delete
from localkube.job_progress import FAILURES, INDEX, Progress, index_of, uncounted
from localkube.objects import Obj, is_true, name_of, namespace_of, with_metadata
from localkube.store import Store, generated_name

_BATCH = 100  # pods made in one round, so that a large Job does not hold up the API
COMPONENT = "job-controller"


def key_of(resource: str, obj: Obj) -> Key:
    """The key of an object in the store."""
    return resource, namespace_of(obj), name_of(obj)


def completions_of(job: Obj) -> int:
    """How many indexes an Indexed Job has, 0 for any other."""
    return int(job["spec"]["completions"]) if job["spec"]["completionMode"] == "Indexed" else 0


class JobPods:
    """Makes, deletes and lets go of pods."""

    def __init__(self, store: Store, events: Events) -> None:
        self._store, self._events = store, events

    def manage(
        self, job: Obj, progress: Progress, status: Obj, active: list[Obj]
    ) -> tuple[list[Obj], float | None]:
        """Make or delete pods until there are as many as wanted.

        Returns the active ones and, where more are wanted later, the seconds until then.
        """
        spec = job["spec"]
        wanted = 0 if spec["suspend"] else spec["parallelism"]
        if spec["completionMode"] == "Indexed":
            active = self._withdraw(
                job, [pod for pod in active if index_of(pod) >= completions_of(job)], active
            )
        elif spec.get("completions") is not None:
            wanted = min(wanted, spec["completions"] - status.get("succeeded", 0))
        elif status.get("succeeded"):
            wanted = min(wanted, len(active))
        if len(active) > wanted:
            least = sorted(active, key=lambda pod: (is_true(pod, "Ready"), -index_of(pod)))
            return self._withdraw(job, least[: len(active) - wanted], active), None
        missing = wanted - len(active)
        if spec["podReplacementPolicy"] == "Failed":
            missing -= len(progress.terminating)
        made, later = self._make(job, progress, missing)
        return active + made, later

    def delete(self, job: Obj, pods: list[Obj]) -> None:
        """Delete pods that run; they count as failed when they have ended."""
        for pod in pods:
            current = self._store.get(*key_of("pods", pod))
            if current is not None:
                delete(self._store, "pods", current)
                self._events.record(job, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", COMPONENT)

    def let_go(self, pod: Obj) -> None:
        """Take the finalizer off: the pod is counted, or nobody is going to count it."""
        current = self._store.get(*key_of("pods", pod))
        if current is not None and uncounted(current):
            left = [one for one in current["metadata"]["finalizers"] if one != JOB_FINALIZER]
            self._store.update("pods", with_metadata(current, finalizers=left or None))

    def _withdraw(self, job: Obj, pods: list[Obj], active: list[Obj]) -> list[Obj]:
        """Delete pods that are too many; let go first, they do not count as failed. Returns the others."""
        for pod in pods:
            self.let_go(pod)
        self.delete(job, pods)
        gone = {name_of(pod) for pod in pods}
        return [pod for pod in active if name_of(pod) not in gone]

    def _make(self, job: Obj, progress: Progress, count: int) -> tuple[list[Obj], float | None]:
        if count > 0 and (wait := progress.wait(-1)) > 0:
            return [], wait
        made: list[Obj] = []
        waiting: dict[int, float] = {}
        indexed = job["spec"]["completionMode"] == "Indexed"
        while len(made) < min(count, _BATCH):
            index = progress.next_index(completions_of(job)) if indexed else -1
            if index is None:
                break
            if indexed and (wait := progress.wait(index)) > 0:
                waiting[index] = wait
                continue
            made.append(self._pod(job, progress, index))
        for index in waiting:
            progress.again(index)
        if len(made) == _BATCH < count:
            return made, 0.0
        return made, min(waiting.values(), default=None)

    def _pod(self, job: Obj, progress: Progress, index: int) -> Obj:
        template, prefix = job["spec"]["template"], f"{name_of(job)}-"
        more: Obj = {"finalizers": [JOB_FINALIZER]}
        spec = progress.spec
        if index >= 0:
            prefix = f"{name_of(job)}-{index}-"
            spec = {**spec, "hostname": f"{name_of(job)}-{index}"}
            more |= {"labels": {INDEX: str(index)}, "annotations": {INDEX: str(index)}}
            if job["spec"].get("backoffLimitPerIndex") is not None:
                more["annotations"][FAILURES] = str(progress.failures.get(index, 0))
        pod = self._store.create("pods", pod_of(template, job, prefix, generated_name(prefix), spec, **more))
        self._events.record(job, "SuccessfulCreate", f"Created pod: {name_of(pod)}", COMPONENT)
        return pod


def pod_spec(job: Obj) -> Obj:
    """The spec that the pods of a Job share; with indexes, containers learn theirs from an annotation."""
    spec = admitted(job["spec"]["template"]["spec"])
    field = {"apiVersion": "v1", "fieldPath": f"metadata.annotations['{INDEX}']"}
    variable = {"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": field}}
    for kind in ("initContainers", "containers"):
        if kind in spec and job["spec"]["completionMode"] == "Indexed":
            spec[kind] = [{**one, "env": [*(one.get("env") or ()), variable]} for one in spec[kind]]
    return spec

"""The status of a pod, derived from its containers."""

from collections.abc import Sequence
from dataclasses import dataclass

from localkube.objects.object import Json, Obj, now

ADDRESS = "127.0.0.1"
_KINDS = ("containerStatuses", "initContainerStatuses")


@dataclass(frozen=True)
class End:
    """Why a pod failed; disruption is the reason of its DisruptionTarget condition, if any."""

    reason: str
    message: str
    disruption: str | None = None


class ContainerStatus:
    """What one container is doing, in the terms of the API."""

    def __init__(self, container: Json, pod: Obj, init: bool = False) -> None:
        self.container = container
        self.sidecar = init and container.get("restartPolicy") == "Always"
        self._ends_first = init and not self.sidecar
        self.name: str = container["name"]
        self.exit_code: int | None = None
        self.ever_ran = False
        kept = (one for one in pod.container_statuses if one["name"] == self.name)
        before: Json = next(kept, {"state": {"waiting": {}}})
        self.restarts = 0 if "waiting" in before["state"] else before["restartCount"] + 1
        self._id: Json = {}
        self._last: Json = {}
        first = init or not pod["spec"].get("initContainers")
        self._state: Json = {"waiting": {"reason": "ContainerCreating" if first else "PodInitializing"}}

    def waiting(self, reason: str, message: str) -> None:
        self._state = {"waiting": {"reason": reason, "message": message}}

    def restarting(self) -> None:
        """Prepare for the next run: move the last one to lastState."""
        if "terminated" in self._state:
            self._last, self._state = self._state, {"waiting": {"reason": "ContainerCreating"}}
            self.restarts += 1

    def running(self, identity: str) -> None:
        self._id, self.exit_code, self.ever_ran = {"containerID": identity}, None, True
        self._state = {"running": {"startedAt": now()}}

    def terminated(self, code: int, reason: str, message: str, began: str | None) -> None:
        self.exit_code, self.ever_ran = code, True
        ended = {"exitCode": code, "reason": reason, "startedAt": began, "finishedAt": now(), **self._id}
        self._state = {"terminated": ended | ({"message": message} if message else {})}

    @property
    def started(self) -> bool:
        return "running" in self._state

    @property
    def ready(self) -> bool:
        return self.exit_code == 0 if self._ends_first else self.started

    def document(self) -> Json:
        image = self.container["image"]
        return {
            "name": self.name,
            "image": image,
            "imageID": image if self.ever_ran else "",
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self._state,
            "lastState": self._last,
            **self._id,
        }


def pod_status(
    pod: Obj,
    phase: str,
    started: str,
    init: Sequence[ContainerStatus],
    main: Sequence[ContainerStatus],
    end: End | None,
) -> Json:
    """Return the whole status; end says why the pod failed."""
    if end and end.disruption:
        pod = pod.with_condition("DisruptionTarget", True, end.disruption, end.message)
    begun = phase == "Succeeded" or any(one.ever_ran for one in main)
    initialized = begun or all(one.ready for one in init)
    ready = phase == "Running" and all(one.ready for one in (*init, *main))
    status: Json = {
        "phase": phase,
        "conditions": _readiness(pod, initialized, ready, phase)["status"]["conditions"],
        "startTime": started,
        "hostIP": ADDRESS,
        "hostIPs": [{"ip": ADDRESS}],
        "podIP": ADDRESS,
        "podIPs": [{"ip": ADDRESS}],
        "containerStatuses": [one.document() for one in main],
    }
    status |= {"initContainerStatuses": [one.document() for one in init]} if init else {}
    return status | ({"reason": end.reason, "message": end.message} if end else {})


def _readiness(pod: Obj, initialized: bool, ready: bool, phase: str) -> Obj:
    """Return the pod with the conditions Initialized, Ready and ContainersReady of this phase."""
    not_ready = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "ContainersNotReady")
    pod = pod.with_condition("Initialized", initialized, "" if initialized else "ContainersNotInitialized")
    for kind in ("Ready", "ContainersReady"):
        pod = pod.with_condition(kind, ready, "" if ready else not_ready)
    return pod


def began(pod: Obj) -> bool:
    """Return whether any container of the pod has run."""
    return any("waiting" not in one["state"] for one in pod.container_statuses)


def lost(pod: Obj) -> Obj:
    """Return the pod as failed, because its processes ended with the server before this one."""
    message = "localkube was restarted: the containers of this pod ended with the process before it."
    told = "The container could not be located when the pod was terminated"
    gone = {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": told}
    over = {"ready": False, "started": False, "state": {"terminated": gone}}
    statuses = {
        kind: [{**one, **over} if "running" in one["state"] else one for one in pod["status"][kind]]
        for kind in _KINDS
        if kind in pod["status"]
    }
    pod = pod.with_condition("DisruptionTarget", True, "NodeLost", message)
    pod = pod.with_status(phase="Failed", reason="NodeLost", message=message, **statuses)
    return _readiness(pod, True, False, "Failed")

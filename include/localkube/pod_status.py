"""The status of a pod, made from what its containers are doing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from localkube.objects import Obj, now, set_condition

ADDRESS = "127.0.0.1"
_NOT_READY = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}


@dataclass(frozen=True)
class End:
    """Why a pod was made to fail; disruption is the reason of its DisruptionTarget condition, if any."""

    reason: str
    message: str
    disruption: str | None = None


class ContainerStatus:
    """What one container is doing, in the words of the API."""

    def __init__(self, container: Obj, pod: Obj, init: bool = False) -> None:
        self.container, self._init = container, init
        self.name: str = container["name"]
        self.exit_code: int | None = None
        self.ever_ran = False
        self._id = ""
        kept = (pod.get("status") or {}).get("initContainerStatuses" if init else "containerStatuses") or ()
        before = next((one for one in kept if one["name"] == self.name), None)
        self.restarts = before["restartCount"] + 1 if before and "waiting" not in before["state"] else 0
        self._last: Obj = {}
        self._state: Obj = {
            "waiting": {
                "reason": "ContainerCreating"
                if init or not pod["spec"].get("initContainers")
                else "PodInitializing"
            }
        }

    def waiting(self, reason: str, message: str) -> None:
        self._state = {"waiting": {"reason": reason, "message": message}}

    def restarting(self) -> None:
        """The next run is about to begin: the last one moves to lastState."""
        if "terminated" in self._state:
            self._last, self._state = self._state, {"waiting": {"reason": "ContainerCreating"}}
            self.restarts += 1

    def running(self, identity: str) -> None:
        self._id, self.exit_code, self.ever_ran = identity, None, True
        self._state = {"running": {"startedAt": now()}}

    def terminated(self, code: int, reason: str, message: str, began: str | None) -> None:
        self.exit_code, self.ever_ran = code, True
        ended: Obj = {"exitCode": code, "reason": reason, "startedAt": began, "finishedAt": now()}
        ended |= {"containerID": self._id} if self._id else {}
        self._state = {"terminated": ended | ({"message": message} if message else {})}

    @property
    def ready(self) -> bool:
        return self.exit_code == 0 if self._init else "running" in self._state

    def document(self) -> Obj:
        return {
            "name": self.name,
            "image": self.container["image"],
            "imageID": self.container["image"] if self.ever_ran else "",
            "ready": self.ready,
            "started": "running" in self._state,
            "restartCount": self.restarts,
            "state": self._state,
            "lastState": self._last,
            **({"containerID": self._id} if self._id else {}),
        }


def pod_status(
    pod: Obj,
    phase: str,
    started: str,
    init: Sequence[ContainerStatus],
    main: Sequence[ContainerStatus],
    end: End | None = None,
) -> Obj:
    """The whole status; end says why the pod was made to fail."""
    initialized = all(one.exit_code == 0 for one in init)
    conditions = (pod.get("status") or {}).get("conditions") or []
    if end and end.disruption:
        conditions = set_condition(conditions, "DisruptionTarget", True, end.disruption, end.message)
    conditions = readiness(
        conditions, initialized, phase == "Running" and all(one.ready for one in main), phase
    )
    status: dict[str, Any] = {
        "phase": phase,
        "conditions": conditions,
        "qosClass": pod["status"]["qosClass"],
        "startTime": started,
        "hostIP": ADDRESS,
        "hostIPs": [{"ip": ADDRESS}],
        "podIP": ADDRESS,
        "podIPs": [{"ip": ADDRESS}],
        "containerStatuses": [one.document() for one in main],
    }
    if init:
        status["initContainerStatuses"] = [one.document() for one in init]
    return status | ({"reason": end.reason, "message": end.message} if end else {})


def readiness(conditions: Sequence[Obj], initialized: bool, ready: bool, phase: str) -> list[Obj]:
    """The conditions PodScheduled (kept), Initialized, ContainersReady and Ready of a pod in this phase."""
    why = "" if ready else _NOT_READY.get(phase, "ContainersNotReady")
    done = initialized or phase == "Succeeded"
    conditions = set_condition(conditions, "Initialized", done, "" if done else "ContainersNotInitialized")
    conditions = set_condition(conditions, "Ready", ready, why)
    return set_condition(conditions, "ContainersReady", ready, why)


def began(pod: Obj) -> bool:
    """Whether any container of the pod has run."""
    kinds = ("containerStatuses", "initContainerStatuses")
    return any("waiting" not in one["state"] for kind in kinds for one in (pod["status"].get(kind) or ()))


def lost_status(pod: Obj) -> Obj:
    """The status of a pod whose processes ended with the server before this one."""
    message = "localkube was restarted: the containers of this pod ended with the process before it."
    gone = {
        "exitCode": 137,
        "reason": "ContainerStatusUnknown",
        "startedAt": None,
        "finishedAt": None,
        "message": "The container could not be located when the pod was terminated",
    }
    status: Obj = {**pod["status"], "phase": "Failed", "reason": "NodeLost", "message": message}
    for kind in ("containerStatuses", "initContainerStatuses"):
        status |= (
            {
                kind: [
                    {**one, "ready": False, "started": False, "state": {"terminated": gone}}
                    if "running" in one["state"]
                    else one
                    for one in status[kind]
                ]
            }
            if status.get(kind)
            else {}
        )
    conditions = set_condition(status.get("conditions") or (), "DisruptionTarget", True, "NodeLost", message)
    return status | {"conditions": readiness(conditions, True, False, "Failed")}

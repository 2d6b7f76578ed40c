"""The nodes of a cluster: starts, stops and watches over the pods bound to them."""

from __future__ import annotations

import asyncio
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from localkube import memory
from localkube.controller import Controller
from localkube.events import Events
from localkube.images import Images
from localkube.objects import (
    Obj,
    deleting,
    finished,
    lookup,
    name_of,
    namespace_of,
    quantity,
    set_condition,
    with_metadata,
    with_status,
)
from localkube.pod import PodWorker
from localkube.pod_status import End
from localkube.process import Reaper
from localkube.simulation import SimulatedPod, Simulation
from localkube.store import Event, Store
from localkube.volumes import used

log = logging.getLogger(__name__)
_PROBE = 1.0  # seconds between looks at memory and volumes
_SHUTDOWN = 15.0  # the longest grace a pod gets when its node is taken away
PREEMPTED = End(
    "Terminated", "Pod was terminated in response to imminent node shutdown.", "TerminationByKubelet"
)
LOST = End(
    "NodeLost", "localkube was restarted: the pod's containers ended with the process before it.", "NodeLost"
)
DELETED = End("NodeLost", "PodGC: node no longer exists", "DeletionByPodGC")


class Worker(Protocol):
    """A pod on a node, with processes or simulated."""

    pod: Obj

    def stop(self, grace: float, end: End | None = None) -> None: ...

    async def run(self) -> None: ...


@dataclass(frozen=True)
class Machine:
    """What all nodes of a cluster share of this machine."""

    directory: Path
    memory: Path | None
    images: Images
    reaper: Reaper
    service_env: dict[str, str]
    backoff: float
    simulation: Simulation | None


class Kubelet(Controller[tuple[str, str]]):
    """Keeps a worker for each pod that is bound to a node and not finished; keys are (namespace, name)."""

    def __init__(self, store: Store, events: Events, machine: Machine) -> None:
        super().__init__()
        self.store, self._events, self._machine = store, events, machine
        self.images, self.reaper, self.memory = machine.images, machine.reaper, machine.memory
        self.service_env, self.backoff = machine.service_env, machine.backoff
        self._workers: dict[str, Worker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        store.subscribe("pods", self._note_pod)
        store.subscribe("nodes", self._note_node)
        for pod in store.objects("pods"):
            self._resume(pod)

    # -- taking note

    def _note_pod(self, event: Event) -> None:
        pod = event.new
        if event.type == "DELETED":
            worker = self._workers.get(pod["metadata"]["uid"])
            if worker:
                worker.stop(0)
            elif pod["spec"].get("nodeName") and self._machine.simulation is None:
                self._remove_directory(pod)
        elif pod["spec"].get("nodeName"):
            self.enqueue((namespace_of(pod), name_of(pod)))

    def _note_node(self, event: Event) -> None:
        if event.type == "DELETED":
            for worker in self._on(name_of(event.new)):
                worker.stop(0, DELETED)

    def _on(self, node: str) -> list[Worker]:
        return [worker for worker in self._workers.values() if worker.pod["spec"]["nodeName"] == node]

    def _resume(self, pod: Obj) -> None:
        """After a restart: what never began begins, what restarts anyway restarts, the rest is lost."""
        if not pod["spec"].get("nodeName") or finished(pod):
            return
        began = any(
            "waiting" not in one["state"]
            for kind in ("containerStatuses", "initContainerStatuses")
            for one in lookup(pod, f"status.{kind}") or ()
        )
        if began and pod["spec"]["restartPolicy"] != "Always" and self._machine.simulation is None:
            ended = [
                {
                    **one,
                    "ready": False,
                    "started": False,
                    "state": {
                        "terminated": {
                            "exitCode": 137,
                            "reason": "ContainerStatusUnknown",
                            "message": "The container could not be located when the pod was terminated",
                            "startedAt": None,
                            "finishedAt": None,
                        }
                    }
                    if "running" in one["state"]
                    else one["state"],
                }
                for one in lookup(pod, "status.containerStatuses") or ()
            ]
            conditions = set_condition(
                pod["status"].get("conditions") or (), "DisruptionTarget", True, LOST.disruption, LOST.message
            )
            pod = self.store.update(
                "pods",
                with_status(
                    pod,
                    phase="Failed",
                    reason=LOST.reason,
                    message=LOST.message,
                    containerStatuses=ended,
                    conditions=conditions,
                ),
            )
        self.enqueue((namespace_of(pod), name_of(pod)))

    # -- working

    def sync(self, key: tuple[str, str]) -> None:
        pod = self.store.get("pods", *key)
        if pod is None or not pod["spec"].get("nodeName"):
            return
        worker = self._workers.get(pod["metadata"]["uid"])
        if worker is None and not finished(pod):
            if self.store.get("nodes", "", pod["spec"]["nodeName"]) is not None:
                self._run(pod)
        elif worker is None and deleting(pod):
            self.store.update("pods", with_metadata(pod, deletionGracePeriodSeconds=0))
        elif worker is not None and deleting(pod):
            grace = pod["metadata"].get("deletionGracePeriodSeconds") or 0
            for container in pod["spec"]["containers"]:
                self.event(pod, "Killing", f"Stopping container {container['name']}", False)
            worker.stop(grace)

    def _run(self, pod: Obj) -> None:
        uid = pod["metadata"]["uid"]
        simulation = self._machine.simulation
        worker: Worker = SimulatedPod(self, pod, simulation) if simulation else PodWorker(self, pod)
        self._workers[uid] = worker
        task = asyncio.get_running_loop().create_task(
            worker.run(), name=f"pod {namespace_of(pod)}/{name_of(pod)}"
        )
        self._tasks[uid] = task
        task.add_done_callback(lambda task: self._done(uid, worker, task))

    def _done(self, uid: str, worker: Worker, task: asyncio.Task[None]) -> None:
        del self._workers[uid], self._tasks[uid]
        if not task.cancelled() and task.exception() is not None:
            log.error("pod %s failed", name_of(worker.pod), exc_info=task.exception())
            self.publish(
                worker.pod,
                {
                    **worker.pod["status"],
                    "phase": "Failed",
                    "reason": "KubeletError",
                    "message": str(task.exception()),
                },
            )
        pod = self.store.get("pods", namespace_of(worker.pod), name_of(worker.pod))
        if pod is None or pod["metadata"]["uid"] != uid:
            self._remove_directory(worker.pod)
        elif self.store.get("nodes", "", pod["spec"]["nodeName"]) is None:
            self.store.update(
                "pods",
                with_metadata(
                    pod, deletionTimestamp=pod["metadata"]["creationTimestamp"], deletionGracePeriodSeconds=0
                ),
            )
        else:
            self.enqueue((namespace_of(pod), name_of(pod)))

    def publish(self, pod: Obj, status: Obj) -> Obj:
        """Write the status of a pod that still exists; returns the pod as it is now."""
        current = self.store.get("pods", namespace_of(pod), name_of(pod))
        if current is None or current["metadata"]["uid"] != pod["metadata"]["uid"]:
            return {**pod, "status": status}
        return self.store.update("pods", {**current, "status": status})

    def event(self, pod: Obj, reason: str, message: str, warning: bool) -> None:
        if namespace_of(pod) and self.store.get("namespaces", "", namespace_of(pod)) is not None:
            self._events.record(pod, reason, message, "kubelet", warning)

    def preempt(self, node: str) -> tuple[int, asyncio.Future[list[BaseException | None]]]:
        """Take the node from its pods, as a spot machine is: how many, and when all have ended."""
        workers = self._on(node)
        for worker in workers:
            worker.stop(min(worker.pod["spec"]["terminationGracePeriodSeconds"], _SHUTDOWN), PREEMPTED)
        tasks = [self._tasks[worker.pod["metadata"]["uid"]] for worker in workers]
        return len(workers), asyncio.gather(*tasks, return_exceptions=True)

    async def watch_over(self) -> None:
        """Kill what is over its memory limit, evict what is over the size of a volume."""
        while self._machine.simulation is None:
            await asyncio.sleep(_PROBE)
            workers = [worker for worker in self._workers.values() if isinstance(worker, PodWorker)]
            if memory.available() and any(
                _limit(container) for worker in workers for container, _ in worker.running()
            ):
                resident = await asyncio.to_thread(memory.resident)
                for worker in workers:
                    for container, process in worker.running():
                        limit = _limit(container)
                        if (
                            limit
                            and resident.get(process.pid, 0) > limit
                            and memory.proportional(process.pid) > limit
                        ):
                            worker.killed_for_memory.add(container["name"])
                            process.signal(9)
            for worker in workers:
                for volume, path in worker.emptied():
                    if await asyncio.to_thread(used, path) > quantity(volume["emptyDir"]["sizeLimit"]):
                        message = (
                            f'Usage of EmptyDir volume "{volume["name"]}" exceeds the limit '
                            f'"{volume["emptyDir"]["sizeLimit"]}". '
                        )
                        self.event(worker.pod, "Evicted", message, True)
                        worker.stop(0, End("Evicted", message))

    async def end(self) -> None:
        """Kill all pods for good and wait until their processes are gone."""
        for worker in self._workers.values():
            worker.stop(0)
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    # -- places

    def pod_directory(self, pod: Obj) -> Path:
        return self._machine.directory / "pods" / str(pod["metadata"]["uid"])

    def host_directory(self, pod: Obj) -> Path:
        return self._machine.directory / "nodes" / str(pod["spec"]["nodeName"])

    def _remove_directory(self, pod: Obj) -> None:
        asyncio.get_running_loop().run_in_executor(
            None, lambda: shutil.rmtree(self.pod_directory(pod), ignore_errors=True)
        )


def _limit(container: Obj) -> float:
    return quantity(((container.get("resources") or {}).get("limits") or {}).get("memory") or 0)

"""The nodes of a cluster: what they say of themselves; start, stop and watch over the pods bound to them."""

import asyncio
import logging
import platform
import shutil
import uuid
from collections.abc import Iterator

from localkube.controller import Controller, Events
from localkube.limits import hold_limits
from localkube.objects import (
    Key,
    Obj,
    deleting,
    finished,
    key_of,
    name_of,
    now,
    set_condition,
    with_metadata,
    with_status,
)
from localkube.pod import PodWorker
from localkube.pod_status import ADDRESS, End, began, lost_status
from localkube.resources import VERSION
from localkube.runtime import Machine, Runtime
from localkube.simulation import SimulatedPod
from localkube.spec import ClusterSpec
from localkube.store import Event, Store

_PRESSURES = {
    "MemoryPressure": ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
}
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def node_object(spec: ClusterSpec, number: int) -> Obj:
    """The node of that number in a cluster of this shape; it is not ready yet."""
    name = f"{spec.name}-node-{number}"
    system = platform.system().lower()
    architecture = _MACHINES.get(platform.machine(), platform.machine())
    room = {"cpu": spec.cpu, "memory": spec.memory, "pods": str(spec.pods)}
    own = {"hostname": name, "os": system, "arch": architecture}
    labels = {f"kubernetes.io/{key}": value for key, value in own.items()} | spec.labels
    conditions: list[Obj] = []
    for kind, (reason, message) in _PRESSURES.items():
        conditions = set_condition(conditions, kind, False, reason, message)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"providerID": f"localkube://{spec.name}/{name}"},
        "status": {
            "capacity": room,
            "allocatable": room,
            "conditions": conditions,
            "addresses": [{"type": "InternalIP", "address": ADDRESS}, {"type": "Hostname", "address": name}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
            "nodeInfo": {
                "architecture": architecture,
                "operatingSystem": system,
                "bootID": str(uuid.uuid4()),
                "machineID": spec.name,
                "systemUUID": str(uuid.uuid4()),
                "kernelVersion": platform.release(),
                "osImage": f"localkube on {platform.system()}",
                "containerRuntimeVersion": "localkube://1",
                "kubeProxyVersion": "",
                "kubeletVersion": VERSION["gitVersion"],
            },
        },
    }


def set_ready(store: Store, name: str, ready: bool) -> None:
    """Say whether the node takes pods, if it is still there."""
    node = store.get("nodes", "", name)
    if node is not None:
        why = ("NodeStatusUnknown", "Kubelet stopped posting node status.")
        if ready:
            why = ("KubeletReady", "kubelet is posting ready status")
        conditions = set_condition(node["status"].get("conditions"), "Ready", ready, *why)
        told = [{key: value for key, value in one.items() if key != "lastProbeTime"} for one in conditions]
        told = [one | {"lastHeartbeatTime": now()} for one in told]
        store.update("nodes", with_status(node, conditions=told))


log = logging.getLogger(__name__)
_SHUTDOWN = 15.0  # the longest grace a pod gets when its node is taken away
_PREEMPTED = End(
    "Terminated", "Pod was terminated in response to imminent node shutdown.", "TerminationByKubelet"
)
_DELETED = End("NodeLost", "PodGC: node no longer exists", "DeletionByPodGC")


Worker = PodWorker | SimulatedPod


class Kubelet(Controller):
    """Keeps a worker for each pod that is bound to a node and not finished."""

    component = "kubelet"

    def __init__(self, store: Store, events: Events, machine: Machine) -> None:
        super().__init__(store, events)
        self.store, self._machine = store, machine
        self._workers: dict[str, Worker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        store.subscribe("pods", self._note_pod)
        store.subscribe("nodes", self._note_node)
        for pod in store.objects("pods"):
            if pod["spec"].get("nodeName"):
                self._resume(pod)

    def _note_pod(self, event: Event) -> None:
        pod = event.new
        worker = self._workers.get(pod["metadata"]["uid"])
        if not pod["spec"].get("nodeName"):
            return
        if event.type != "DELETED":
            self.enqueue(key_of("pods", pod))
        elif worker:
            worker.stop(0)
        else:
            self._remove_directory(pod)

    def _note_node(self, event: Event) -> None:
        if event.type == "DELETED":
            for worker in self._on(name_of(event.new)):
                worker.stop(0, _DELETED)

    def _on(self, node: str) -> list[Worker]:
        return [worker for worker in self._workers.values() if worker.pod["spec"]["nodeName"] == node]

    def _resume(self, pod: Obj) -> None:
        """After a restart: what never began begins, what restarts anyway restarts, the rest is lost."""
        if self._machine.simulation is None and not finished(pod):
            Runtime(self._machine, self.store, pod).clear()
            if began(pod) and pod["spec"]["restartPolicy"] != "Always":
                self.store.update("pods", {**pod, "status": lost_status(pod)})
        self.enqueue(key_of("pods", pod))

    def sync(self, key: Key) -> None:
        pod = self.store.get(*key)
        if pod is None:
            return
        worker, node = self._workers.get(pod["metadata"]["uid"]), pod["spec"]["nodeName"]
        if worker is not None:
            worker.pod = pod  # with the conditions that others have added
            if deleting(pod):
                for container in pod["spec"]["containers"]:
                    self.tell(pod, "Killing", f"Stopping container {container['name']}")
                worker.stop(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        elif deleting(pod) or self.store.get("nodes", "", node) is None:
            ended = pod if finished(pod) else with_status(pod, phase="Failed")
            since = pod["metadata"].get("deletionTimestamp") or now()
            ended = with_metadata(ended, deletionTimestamp=since, deletionGracePeriodSeconds=0)
            self.store.update("pods", ended)
        elif not finished(pod):
            self._run(pod)

    def _run(self, pod: Obj) -> None:
        uid, machine = pod["metadata"]["uid"], self._machine
        simulation = machine.simulation
        worker = SimulatedPod(self, pod, simulation) if simulation else PodWorker(self, machine, pod)
        self._workers[uid] = worker
        task = self._tasks[uid] = asyncio.get_running_loop().create_task(worker.run())
        task.add_done_callback(lambda task: self._done(uid, worker, task))

    def _done(self, uid: str, worker: Worker, task: asyncio.Task[None]) -> None:
        del self._workers[uid], self._tasks[uid]
        if task.cancelled():
            return
        if task.exception() is not None:
            log.error("pod %s failed", name_of(worker.pod), exc_info=task.exception())
            status = {"phase": "Failed", "reason": "KubeletError", "message": str(task.exception())}
            self.publish(worker.pod, worker.pod["status"] | status)
        if self._current(worker.pod) is None:
            self._remove_directory(worker.pod)
        else:
            self.enqueue(key_of("pods", worker.pod))

    def _current(self, pod: Obj) -> Obj | None:
        """The pod as it is now, if it is still there."""
        current = self.store.get(*key_of("pods", pod))
        return current if current and current["metadata"]["uid"] == pod["metadata"]["uid"] else None

    def publish(self, pod: Obj, status: Obj) -> Obj:
        """Write the status of a pod that still exists; returns the pod as it is now."""
        current = self._current(pod)
        if current is None:
            return {**pod, "status": status}
        return self.store.update("pods", {**current, "status": status})

    def preempt(self, node: str) -> tuple[int, asyncio.Future[list[BaseException | None]]]:
        """Take the node from its pods, as a spot machine is: how many, and when all have ended."""
        workers = self._on(node)
        for worker in workers:
            worker.stop(min(worker.pod["spec"]["terminationGracePeriodSeconds"], _SHUTDOWN), _PREEMPTED)
        tasks = [self._tasks[worker.pod["metadata"]["uid"]] for worker in workers]
        return len(workers), asyncio.gather(*tasks, return_exceptions=True)

    async def watch_over(self) -> None:
        """Hold the limits of all pods, as long as this is not cancelled."""
        await hold_limits(self._with_processes)

    def _with_processes(self) -> Iterator[PodWorker]:
        return (worker for worker in self._workers.values() if isinstance(worker, PodWorker))

    async def end(self) -> None:
        """Kill all pods for good and wait until their processes are gone."""
        for worker in self._workers.values():
            worker.stop(0)
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _remove_directory(self, pod: Obj) -> None:
        if self._machine.simulation is None:
            directory = self._machine.pod_directory(pod)
            asyncio.get_running_loop().run_in_executor(
                None, lambda: shutil.rmtree(directory, ignore_errors=True)
            )

"""The nodes of a cluster: report them, and start, stop and watch the pods bound to them."""

import asyncio
import logging
import platform
import shutil

from localkube.controllers.controller import Controller
from localkube.controllers.events import Events
from localkube.node.limits import hold_limits
from localkube.node.pod import PodWorker, SimulatedPod
from localkube.node.pod_status import ADDRESS, End, began, lost
from localkube.node.runtime import Machine, Runtime
from localkube.objects.object import Key, Obj, now
from localkube.objects.resources import VERSION
from localkube.objects.store import Event, Store
from localkube.spec import ClusterSpec

log = logging.getLogger(__name__)
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_DELETED = End("NodeLost", "PodGC: node no longer exists", "DeletionByPodGC")


def node_object(spec: ClusterSpec, name: str) -> Obj:
    """Return a node of a cluster of this shape; it is not ready yet."""
    system = platform.system().lower()
    architecture = _MACHINES.get(platform.machine(), platform.machine())
    room = {"cpu": spec.cpu, "memory": spec.memory, "pods": str(spec.pods)}
    own = {"hostname": name, "os": system, "arch": architecture}
    labels = {f"kubernetes.io/{key}": value for key, value in own.items()} | spec.labels
    status = {
        "capacity": room,
        "allocatable": room,
        "addresses": [{"type": "InternalIP", "address": ADDRESS}, {"type": "Hostname", "address": name}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
        "nodeInfo": {
            **dict.fromkeys(("bootID", "machineID", "systemUUID", "kubeProxyVersion"), ""),
            "architecture": architecture,
            "operatingSystem": system,
            "kernelVersion": platform.release(),
            "osImage": f"localkube on {platform.system()}",
            "containerRuntimeVersion": "localkube://1",
            "kubeletVersion": VERSION["gitVersion"],
        },
    }
    provider = {"providerID": f"localkube://{spec.name}/{name}"}
    meta = {"name": name, "labels": labels}
    return Obj(apiVersion="v1", kind="Node", metadata=meta, spec=provider, status=status)


def set_ready(store: Store, name: str) -> None:
    """Mark the node as ready for pods, if it still exists."""
    if node := store.get("nodes", "", name):
        node = node.with_condition("Ready", True, "KubeletReady", "kubelet is posting ready status")
        heard = [one | {"lastHeartbeatTime": now()} for one in node["status"]["conditions"]]
        store.update("nodes", node.with_status(conditions=heard))


class Kubelet(Controller):
    """Keeps a worker for each pod that is bound to a node and not finished."""

    component = "kubelet"

    def __init__(self, store: Store, events: Events, machine: Machine) -> None:
        super().__init__(store, events)
        self._machine = machine
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        store.subscribe("pods", self._note_pod)
        store.subscribe("nodes", self._note_node)
        for pod in store.objects("pods"):
            if pod["spec"].get("nodeName"):
                self._resume(pod)

    def _note_pod(self, event: Event) -> None:
        pod, worker = event.new, self._workers.get(event.new.uid)
        if not pod["spec"].get("nodeName"):
            return
        if event.type != "DELETED":
            self.enqueue(pod.key("pods"))
        elif worker:
            worker.stop(0)
        else:
            self._remove_directory(pod)

    def _note_node(self, event: Event) -> None:
        if event.type == "DELETED":
            for worker in self._workers.values():
                if worker.pod["spec"]["nodeName"] == event.new.name:
                    worker.stop(0, _DELETED)

    def _resume(self, pod: Obj) -> None:
        """After a restart: start what never began, restart what restarts anyway, report the rest as lost."""
        if self._machine.pod_seconds is None and not pod.finished:
            Runtime(self._machine, self.store, pod).clear()
            if began(pod) and pod["spec"]["restartPolicy"] != "Always":
                self.store.update("pods", lost(pod))
        self.enqueue(pod.key("pods"))

    def sync(self, key: Key) -> None:
        pod = self.store.get(*key)
        if pod is None:
            return
        worker, meta = self._workers.get(pod.uid), pod["metadata"]
        if worker is not None:
            worker.pod = pod  # with the conditions that others have added
            if pod.deleting:
                for container in pod["spec"]["containers"]:
                    self.tell(pod, "Killing", f"Stopping container {container['name']}")
                worker.stop(meta.get("deletionGracePeriodSeconds") or 0)
        elif pod.deleting or self.store.get("nodes", "", pod["spec"]["nodeName"]) is None:
            ended = pod if pod.finished else pod.with_status(phase="Failed")
            since = meta.get("deletionTimestamp") or now()
            ended = ended.with_metadata(deletionTimestamp=since, deletionGracePeriodSeconds=0)
            self.store.update("pods", ended)
        elif not pod.finished:
            self._run(pod)

    def _run(self, pod: Obj) -> None:
        kind = PodWorker if self._machine.pod_seconds is None else SimulatedPod
        worker = kind(self, self._machine, pod)
        self._workers[pod.uid] = worker
        task = self._tasks[pod.uid] = asyncio.get_running_loop().create_task(worker.run())
        task.add_done_callback(lambda task: self._done(worker, task))

    def _done(self, worker: PodWorker, task: asyncio.Task[None]) -> None:
        pod = worker.pod
        del self._workers[pod.uid], self._tasks[pod.uid]
        if task.cancelled():
            return
        if error := task.exception():
            log.error("pod %s failed", pod.name, exc_info=error)
            failed = pod.with_status(phase="Failed", reason="KubeletError", message=str(error))
            self.report("pods", pod, failed["status"])
        if self.store.current("pods", pod) is None:
            self._remove_directory(pod)
        else:
            self.enqueue(pod.key("pods"))

    async def watch_over(self) -> None:
        """Enforce the limits of all pods until cancelled."""
        await hold_limits(self._workers.values())

    async def end(self) -> None:
        """Kill all pods for good and wait until their processes are gone."""
        for worker in self._workers.values():
            worker.stop(0)
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _remove_directory(self, pod: Obj) -> None:
        if self._machine.pod_seconds is None:
            directory = self._machine.pod_directory(pod)
            asyncio.get_running_loop().run_in_executor(None, shutil.rmtree, directory, True)

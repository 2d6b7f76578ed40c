"""The clusters of one server: store, controllers and nodes put together; made, found again after a restart,
deleted, and listed in a kubeconfig.
"""

import asyncio
import base64
import secrets
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from localkube.controller import Controller
from localkube.daemonsets import DaemonSetController
from localkube.database import Database
from localkube.errors import ApiError, not_found
from localkube.events import Events
from localkube.garbage import GarbageCollector
from localkube.images import Images
from localkube.jobs import JobController
from localkube.kubelet import Kubelet, node_object, set_ready
from localkube.objects import Json
from localkube.pki import write_private
from localkube.process import Reaper
from localkube.runtime import Machine
from localkube.scheduler import Scheduler
from localkube.simulation import Simulation
from localkube.spec import ClusterSpec
from localkube.store import Store, encode
from localkube.volumes import memory_root

_NODE_RETURNS = 1.0  # seconds after the last pod of a preempted node


@dataclass(frozen=True)
class Host:
    """What the clusters of one server share."""

    state: Path
    port: int
    database: Database
    images: Images
    reaper: Reaper
    backoff: float

    def machine(self, spec: ClusterSpec) -> Machine:
        """What the nodes of a cluster share of it."""
        memory, simulate = memory_root(self.state), spec.simulate
        return Machine(
            directory=self.state / "clusters" / spec.name,
            memory=memory / spec.name if memory else None,
            images=self.images,
            reaper=self.reaper,
            service_env={"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.port)},
            backoff=self.backoff,
            simulation=Simulation(simulate.seconds, simulate.failureRate, spec.name) if simulate else None,
        )


class Cluster:
    """A running cluster."""

    def __init__(self, host: Host, spec: ClusterSpec, token: str, revision: int = 0) -> None:
        self.spec, self.token, self.phase, self.closing = spec, token, "Provisioning", False
        self._host, self.machine = host, host.machine(spec)
        self._tasks: list[asyncio.Task[None]] = []
        self.store = Store(partial(host.database.write, spec.name), revision)
        self.store.load(host.database.objects(spec.name))
        events = Events(self.store)
        self._garbage = GarbageCollector(self.store, events, (host.state / "ca.crt").read_text())
        self._kubelet = Kubelet(self.store, events, self.machine)
        self._controllers: list[Controller] = [
            self._garbage,
            JobController(self.store, events, host.backoff),
            DaemonSetController(self.store, events),
            Scheduler(self.store, events),
            self._kubelet,
        ]

    def start(self, new: bool) -> None:
        """Run the controllers; a new cluster gets its namespaces and nodes first."""
        if new:
            self._garbage.found()
            for number in range(self.spec.nodes):
                self.store.create("nodes", node_object(self.spec, number))
        for node in self.store.objects("nodes"):
            set_ready(self.store, node.name, True)
        loops = [*(controller.run() for controller in self._controllers), self._kubelet.watch_over()]
        self._tasks = [asyncio.get_running_loop().create_task(loop) for loop in loops]
        self.phase = "Running"

    async def durable(self) -> None:
        await self._host.database.durable()

    def preempt(self, name: str) -> int:
        """Take a node away and give it back without its pods; how many those were. Raises ApiError 404."""
        self.store.existing("nodes", "", name)
        set_ready(self.store, name, False)
        count, ended = self._kubelet.preempt(name)

        async def come_back() -> None:
            await ended
            await asyncio.sleep(_NODE_RETURNS)
            set_ready(self.store, name, True)

        self._tasks.append(asyncio.get_running_loop().create_task(come_back()))
        return count

    def stop(self) -> None:
        """Stop working and write nothing more; the reaper ends what runs, the next start reports it lost."""
        self.closing = True
        for task in self._tasks:
            task.cancel()

    async def destroy(self) -> None:
        """End all pods and remove everything the cluster left on this machine."""
        self.phase = "Deleting"
        self.stop()
        await self._kubelet.end()
        self._host.database.drop_cluster(self.spec.name)
        for directory in (self.machine.directory, self.machine.memory):
            if directory is not None:
                await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


class Clusters:
    """All clusters by name, in the order they were made."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._authority = base64.b64encode((host.state / "ca.crt").read_bytes()).decode()
        self._clusters: dict[str, Cluster] = {}
        self._going: dict[str, asyncio.Task[None]] = {}

    def restore(self) -> None:
        """Start what an earlier process left."""
        for name, spec, token, revision in self._host.database.clusters():
            self._clusters[name] = Cluster(self._host, ClusterSpec.parse(spec), token, revision)
            self._clusters[name].start(new=False)
        self._write_kubeconfig()

    def names(self) -> list[str]:
        return list(self._clusters)

    def get(self, name: str) -> Cluster:
        """Raises ApiError 404."""
        if name not in self._clusters:
            raise not_found("cluster", name)
        return self._clusters[name]

    async def create(self, spec: ClusterSpec) -> bool:
        """Make a cluster; False when there is one of the same shape. Raises ApiError 409."""
        existing = self._clusters.get(spec.name)
        if existing is not None:
            if existing.phase == "Deleting":
                raise ApiError(409, f"cluster {spec.name} is being deleted; try again when it is gone")
            existing.spec.check_same(spec)
            return False
        token = secrets.token_urlsafe(32)
        self._host.database.add_cluster(spec.name, spec.document(), token)
        cluster = self._clusters[spec.name] = Cluster(self._host, spec, token)
        cluster.start(new=True)
        await cluster.durable()
        self._write_kubeconfig()
        return True

    def delete(self, name: str) -> None:
        """Begin to delete a cluster, which is listed as Deleting until it is gone. Raises ApiError 404."""
        cluster = self.get(name)
        if name not in self._going:
            self._going[name] = asyncio.get_running_loop().create_task(self._delete(cluster))

    async def _delete(self, cluster: Cluster) -> None:
        await cluster.destroy()
        del self._clusters[cluster.spec.name], self._going[cluster.spec.name]
        self._write_kubeconfig()

    def stop(self) -> None:
        for cluster in self._clusters.values():
            cluster.stop()

    def document(self, name: str) -> Json:
        """What the admin API says of a cluster."""
        cluster = self.get(name)
        return {"phase": cluster.phase, **cluster.spec.document(), "kubeconfig": self._kubeconfig([cluster])}

    def _kubeconfig(self, clusters: list[Cluster]) -> Json:
        document: Json = {"apiVersion": "v1", "kind": "Config", "preferences": {}}
        document |= {"clusters": [], "users": [], "contexts": []}
        document["current-context"] = clusters[0].spec.name if clusters else ""
        for one in clusters:
            name, trust = one.spec.name, {"certificate-authority-data": self._authority}
            server = trust | {"server": f"https://127.0.0.1:{self._host.port}/clusters/{name}"}
            document["clusters"].append({"name": name, "cluster": server})
            document["users"].append({"name": name, "user": {"token": one.token}})
            document["contexts"].append({"name": name, "context": {"cluster": name, "user": name}})
        return document

    def _write_kubeconfig(self) -> None:
        document = self._kubeconfig(list(self._clusters.values()))
        write_private(self._host.state / "kubeconfig", encode(document))

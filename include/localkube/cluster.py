"""The clusters of one server: created, restored after a restart, deleted, and listed in a kubeconfig."""

import asyncio
import base64
import secrets
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

from localkube.controllers.controller import Controller
from localkube.controllers.daemonsets import DaemonSetController
from localkube.controllers.events import Events
from localkube.controllers.garbage import GarbageCollector
from localkube.controllers.jobs import JobController
from localkube.controllers.quota_status import QuotaController
from localkube.controllers.scheduler import Scheduler
from localkube.node.kubelet import Kubelet, node_object, set_ready
from localkube.node.runtime import Machine
from localkube.objects.database import Database
from localkube.objects.errors import ApiError, not_found
from localkube.objects.object import Json, Obj, encode
from localkube.objects.store import Store
from localkube.pki import write_private
from localkube.spec import ClusterSpec


class Cluster:
    """A running cluster."""

    def __init__(
        self, machine: Machine, database: Database, spec: ClusterSpec, token: str, revision: int = 0
    ) -> None:
        self.spec, self.token, self.phase, self.closing = spec, token, "Provisioning", False
        pod_seconds = spec.simulate.seconds if spec.simulate else None
        self.machine = replace(machine, directory=machine.directory / spec.name, pod_seconds=pod_seconds)
        self._database, self.durable = database, database.durable
        self.pages: dict[object, tuple[list[Obj], int]] = {}  # lists in progress, and their versions
        self._tasks: list[asyncio.Task[None]] = []
        self.store = Store(partial(database.write, spec.name), revision, database.objects(spec.name))
        events = Events(self.store)
        self._garbage = GarbageCollector(self.store, events, machine.authority)
        self._kubelet = Kubelet(self.store, events, self.machine)
        self._controllers: list[Controller] = [
            self._garbage,
            JobController(self.store, events, machine.backoff),
            DaemonSetController(self.store, events),
            Scheduler(self.store, events),
            QuotaController(self.store, events),
            self._kubelet,
        ]

    def start(self, new: bool) -> None:
        """Run the controllers; a new cluster gets its namespaces and nodes first."""
        if new:
            self._garbage.found()
            for name in self.spec.node_names:
                self.store.create("nodes", node_object(self.spec, name))
        for name in self.spec.node_names:
            set_ready(self.store, name)
        loops = [*(controller.run() for controller in self._controllers), self._kubelet.watch_over()]
        self._tasks = [asyncio.get_running_loop().create_task(loop) for loop in loops]
        self.phase = "Running"

    def stop(self) -> None:
        """Stop and write nothing more; the reaper kills what runs, and the next start reports it lost."""
        self.closing = True
        for task in self._tasks:
            task.cancel()

    async def destroy(self) -> None:
        """End all pods and remove everything the cluster left on this machine."""
        self.phase = "Deleting"
        self.stop()
        await self._kubelet.end()
        self._database.drop_cluster(self.spec.name)
        await asyncio.to_thread(shutil.rmtree, self.machine.directory, ignore_errors=True)


class Clusters:
    """All clusters by name, in the order they were made."""

    def __init__(self, state: Path, machine: Machine, database: Database) -> None:
        self._kubeconfig_file, self._machine, self._database = state / "kubeconfig", machine, database
        self._clusters: dict[str, Cluster] = {}
        self._going: dict[str, asyncio.Task[None]] = {}

    def restore(self) -> None:
        """Start the clusters of an earlier process."""
        for name, spec, token, revision in self._database.clusters():
            found = Cluster(self._machine, self._database, ClusterSpec.parse(spec), token, revision)
            self._clusters[name] = found
            found.start(new=False)
        self._write_kubeconfig()

    def names(self) -> list[str]:
        return list(self._clusters)

    def get(self, name: str) -> Cluster:
        """Return the cluster; raise ApiError 404."""
        if name not in self._clusters:
            raise not_found("cluster", name)
        return self._clusters[name]

    async def create(self, spec: ClusterSpec) -> bool:
        """Create a cluster; return False for an existing one of the same shape; raise ApiError 409."""
        existing = self._clusters.get(spec.name)
        if existing is not None:
            if existing.phase == "Deleting":
                raise ApiError(409, f"cluster {spec.name} is being deleted; try again when it is gone")
            existing.spec.check_same(spec)
            return False
        token = secrets.token_urlsafe(32)
        self._database.add_cluster(spec.name, spec.document(), token)
        cluster = self._clusters[spec.name] = Cluster(self._machine, self._database, spec, token)
        cluster.start(new=True)
        await cluster.durable()
        self._write_kubeconfig()
        return True

    def delete(self, name: str) -> None:
        """Begin to delete a cluster, which is Deleting until it is gone; raise ApiError 404."""
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
        """Return a cluster as the admin API shows it."""
        cluster = self.get(name)
        return {"phase": cluster.phase, **cluster.spec.document(), "kubeconfig": self._kubeconfig([cluster])}

    def _kubeconfig(self, clusters: list[Cluster]) -> Json:
        names = [one.spec.name for one in clusters]
        trust = {"certificate-authority-data": base64.b64encode(self._machine.authority.encode()).decode()}
        servers = f"https://127.0.0.1:{self._machine.port}/clusters"
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "preferences": {},
            "clusters": [{"name": one, "cluster": trust | {"server": f"{servers}/{one}"}} for one in names],
            "users": [{"name": one.spec.name, "user": {"token": one.token}} for one in clusters],
            "contexts": [{"name": one, "context": {"cluster": one, "user": one}} for one in names],
            "current-context": names[0] if names else "",
        }

    def _write_kubeconfig(self) -> None:
        document = self._kubeconfig(list(self._clusters.values()))
        write_private(self._kubeconfig_file, encode(document))

"""The clusters of one server: made, found again after a restart, deleted, and listed in a kubeconfig."""

from __future__ import annotations

import asyncio
import base64
import secrets

from localkube.cluster import Cluster, Host
from localkube.errors import ApiError
from localkube.objects import Obj
from localkube.pki import write_private
from localkube.spec import ClusterSpec
from localkube.store import encode


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
            raise ApiError(404, "NotFound", f'cluster "{name}" not found', {"name": name, "kind": "clusters"})
        return self._clusters[name]

    async def create(self, spec: ClusterSpec) -> bool:
        """Make a cluster; False when there is one of the same shape. Raises ApiError 409."""
        existing = self._clusters.get(spec.name)
        if existing is not None:
            if existing.phase == "Deleting":
                raise ApiError(
                    409, "Conflict", f"cluster {spec.name} is being deleted; try again when it is gone"
                )
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

    def document(self, name: str) -> Obj:
        """What the admin API says of a cluster."""
        cluster = self.get(name)
        return {"phase": cluster.phase, **cluster.spec.document(), "kubeconfig": self._kubeconfig([cluster])}

    def _kubeconfig(self, clusters: list[Cluster]) -> Obj:
        base = f"https://127.0.0.1:{self._host.port}/clusters"
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "preferences": {},
            "current-context": clusters[0].spec.name if clusters else "",
            "clusters": [
                {
                    "name": one.spec.name,
                    "cluster": {
                        "server": f"{base}/{one.spec.name}",
                        "certificate-authority-data": self._authority,
                    },
                }
                for one in clusters
            ],
            "users": [{"name": one.spec.name, "user": {"token": one.token}} for one in clusters],
            "contexts": [
                {"name": one.spec.name, "context": {"cluster": one.spec.name, "user": one.spec.name}}
                for one in clusters
            ],
        }

    def _write_kubeconfig(self) -> None:
        document = self._kubeconfig(list(self._clusters.values()))
        write_private(self._host.state / "kubeconfig", encode(document))

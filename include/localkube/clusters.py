"""The clusters of one server: made, found again after a restart, deleted, and listed in a kubeconfig."""

import asyncio
import base64
import secrets

from localkube.cluster import Cluster, Host
from localkube.errors import ApiError, not_found
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
            raise not_found("cluster", name)
        return self._clusters[name]

    async def create(self, spec: ClusterSpec) -> bool:
        """Make a cluster; False when there is one of the same shape. Raises ApiError 409."""
        existing = self._clusters.get(spec.name)
        if existing is not None:
            if existing.phase == "Deleting":
                message = f"cluster {spec.name} is being deleted; try again when it is gone"
                raise ApiError(409, "Conflict", message)
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
        document: Obj = {"apiVersion": "v1", "kind": "Config", "preferences": {}}
        document |= {"clusters": [], "users": [], "contexts": []}
        document["current-context"] = clusters[0].spec.name if clusters else ""
        for one in clusters:
            name = one.spec.name
            server = {"server": f"{base}/{name}", "certificate-authority-data": self._authority}
            document["clusters"].append({"name": name, "cluster": server})
            document["users"].append({"name": name, "user": {"token": one.token}})
            document["contexts"].append({"name": name, "context": {"cluster": name, "user": name}})
        return document

    def _write_kubeconfig(self) -> None:
        document = self._kubeconfig(list(self._clusters.values()))
        write_private(self._host.state / "kubeconfig", encode(document))

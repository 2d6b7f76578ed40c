"""The embedded default: clusters of the one-machine Kubernetes, through its own small admin API.

It speaks HTTP to a server that an Airflow connection names, as the other providers do to their clouds; the
server may also run on another machine.
"""

import ssl
from typing import Any, ClassVar

import httpx

from higgsdemo.clusters.base import (
    MAKE_IT,
    ClusterError,
    KubeconfigProvider,
    OurCluster,
    Phase,
    State,
    Unreachable,
)
from higgsdemo.clusters.shape import campaign_marks, check_ours, is_ours, made_by_campaigns
from higgsdemo.kubernetes.names import label_value
from higgsdemo.storage.named_connection import LOCALKUBE, UnfitConnection, find_connection

TIMEOUT = 30.0  # s


class LocalProvider(KubeconfigProvider):
    """A cluster of a localkube server."""

    poll_seconds: ClassVar[float] = 1.0

    def create(self) -> None:
        """Ask the server for the cluster, shaped by ``nodes`` and ``flavor``."""
        cluster = self.cluster
        shape: dict[str, Any] = {
            "name": cluster.name,
            "nodes": cluster.nodes,
            "cpu": str(cluster.flavor_cpu),
            "memory": cluster.flavor_memory,
            "labels": self.marks,
        }
        # A server that only rehearses says so in its connection, so campaigns need not know.
        if simulate := find_connection(self.cluster.connection, LOCALKUBE).extra_dejson.get("simulate"):
            shape["simulate"] = simulate
        if there := self._there():
            check_ours(cluster.name, there["labels"], self.marks)
        self._call("POST", "", json=shape)

    def state(self) -> State:
        found = self._there()
        return State(Phase(found["phase"].lower()), marks=found["labels"]) if found else State(Phase.ABSENT)

    def delete(self) -> bool:
        there = self._there()
        if there is None or not is_ours(there["labels"], self.marks):
            return False
        return self._call("DELETE", f"/{self.cluster.name}", absent_ok=True) is not None

    @property
    def marks(self) -> dict[str, str]:
        """The labels of the cluster, which its nodes carry, too."""
        return campaign_marks(label_value(self.campaign), self.airflow)

    def found(self) -> list[OurCluster]:
        there = self._call("GET", "") or {"items": []}
        return made_by_campaigns((one["name"], one["labels"], None) for one in there["items"])

    def access(self) -> tuple[dict[str, Any], None]:
        """Return the kubeconfig that the server keeps for this cluster, whose token lasts."""
        found = self._there()
        if not found:
            raise ClusterError(f"cluster {self.cluster.name} is not there: {MAKE_IT}")
        return found["kubeconfig"], None

    def _there(self) -> dict[str, Any] | None:
        return self._call("GET", f"/{self.cluster.name}", absent_ok=True)

    def _call(
        self, method: str, path: str, *, json: Any = None, absent_ok: bool = False
    ) -> dict[str, Any] | None:
        named = f"the Airflow connection {self.cluster.connection!r}"
        try:
            connection = find_connection(self.cluster.connection, LOCALKUBE)
        except UnfitConnection as error:
            raise ClusterError(f"cluster {self.cluster.name}: {named} cannot be used: {error}") from None
        authority = connection.extra_dejson.get("ca")
        url = f"{connection.host}:{connection.port}/localkube/clusters{path}"
        try:
            response = httpx.request(
                method,
                url,
                json=json,
                headers={"Authorization": f"Bearer {connection.password}"},
                verify=ssl.create_default_context(cafile=authority) if authority else True,
                timeout=TIMEOUT,
            )
        except (httpx.HTTPError, OSError) as error:
            raise Unreachable(
                f"cluster {self.cluster.name}: no answer from {url} ({error}); is localkube running, and is "
                f"{named} right?"
            ) from error
        if response.status_code == 404 and absent_ok:
            return None
        if response.is_error:
            kind = Unreachable if response.is_server_error else ClusterError
            raise kind(f"cluster {self.cluster.name}: {_message(response)}")
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer


def _message(response: httpx.Response) -> str:
    try:
        return f"{response.status_code} {response.json()['message']}"
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} {response.text[:200]}"

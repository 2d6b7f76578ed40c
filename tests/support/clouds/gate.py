"""The Kubernetes API of clouds' clusters, which asks for the cloud's tokens and is a localkube behind it.

A cloud hands out clusters whose API takes that cloud's tokens and refuses them once they have ended. This
gate does the same, over TLS: it lets those pass that the cluster's cloud says are good, and passes the
requests on to a real cluster.
"""

import base64
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from kube_client import Kube
from localkube.pki import server_context
from localkube_server import Server
from loop_server import LoopServer

HOP_BY_HOP = {"host", "authorization", "connection", "transfer-encoding", "content-length", "accept-encoding"}
NODE = {"cpu": "4", "memory": "8Gi"}
Check = Callable[[str], bool]


@dataclass
class Opened:
    """A cluster behind the gate, and whose tokens it takes."""

    kube: Kube
    good: Check
    refused: int = 0
    tokens: list[str] = field(default_factory=list)


class Gate(LoopServer):
    """A TLS server on a port of its own; the first part of a path names a cluster."""

    route = "/{cluster}/{path:.*}"

    def __init__(self, localkube: Server, state: Path) -> None:
        state.mkdir(parents=True)
        self.state = state
        self.localkube = localkube
        tls = server_context(state)
        self.certificate = base64.b64encode((state / "ca.crt").read_bytes()).decode()
        self.clusters: dict[str, Opened] = {}
        self.tokens: set[str] = set()
        """Every token that ever passed, and those that localkube took in their place."""
        super().__init__(tls, trust=ssl.create_default_context(cafile=localkube.state / "ca.crt"))

    def open(self, name: str, nodes: int, good: Check) -> str:
        """Make a cluster, and give the address of its API."""
        self.clusters[name] = Opened(self.localkube.create_cluster(name, nodes=nodes, **NODE), good)
        return f"127.0.0.1:{self.port}/{name}"

    def close(self, name: str) -> None:
        """Delete a cluster."""
        if self.clusters.pop(name, None):
            with self.localkube.admin() as admin:
                admin.delete(f"clusters/{name}")

    def objects(self, name: str, path: str) -> list[dict[str, Any]]:
        """Return what lies in a cluster below a path of its API."""
        answer = self.clusters[name].kube.http.get(path)
        items: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
        return items

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Pass on what has a good token."""
        cluster = self.clusters.get(request.match_info["cluster"])
        if cluster is None:
            return _refusal(404, "NotFound")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not cluster.good(token):
            cluster.refused += 1
            return _refusal(401, "Unauthorized")
        if token not in cluster.tokens:
            cluster.tokens.append(token)
            self.tokens |= {token, cluster.kube.headers["authorization"].removeprefix("Bearer ")}
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
        async with self._client.request(
            request.method,
            f"{cluster.kube.url}/{request.match_info['path']}",
            params=request.query,
            headers=headers | cluster.kube.headers,
            data=await request.read() or None,
        ) as answer:
            response = web.StreamResponse(status=answer.status)
            response.content_type = answer.content_type
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response


def _refusal(status: int, reason: str) -> web.Response:
    document = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status}
    return web.json_response(document | {"message": reason}, status=status)

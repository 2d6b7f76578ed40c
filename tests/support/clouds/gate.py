"""The Kubernetes API of clouds' clusters, which asks for the cloud's tokens and is a localkube behind it.

A cloud hands out clusters whose API takes that cloud's tokens and refuses them once they have ended. This
gate does the same, over TLS: it lets those pass that the cluster's cloud says are good, and passes the
requests on to a real cluster.
"""

import asyncio
import base64
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

from localkube.pki import server_context
from localkube_server import Server

HOP_BY_HOP = {"host", "authorization", "connection", "transfer-encoding", "content-length", "accept-encoding"}
NODE = {"cpu": "4", "memory": "8Gi"}
Check = Callable[[str], bool]


@dataclass
class Opened:
    """A cluster behind the gate: where it is, with which token, and whose tokens it takes."""

    server: str
    token: str
    good: Check
    refused: int = 0
    tokens: list[str] = field(default_factory=list)


class Gate:
    """A TLS server on a port of its own, in a thread."""

    def __init__(self, localkube: Server, state: Path) -> None:
        state.mkdir(parents=True)
        self.state = state
        self._localkube = localkube
        self._tls = server_context(state)
        self.certificate = base64.b64encode((state / "ca.crt").read_bytes()).decode()
        self.clusters: dict[str, Opened] = {}
        self.tokens: set[str] = set()
        """Every token that ever passed, and those that localkube took in their place."""
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._listening.wait(30)

    def open(self, name: str, nodes: int, good: Check) -> str:
        """Make a cluster, and give the address of its API."""
        with self._localkube.admin() as admin:
            made = admin.post("clusters", json={"name": name, "nodes": nodes, **NODE})
        assert made.status_code in (200, 201), made.text
        kubeconfig = made.json()["kubeconfig"]
        self.clusters[name] = Opened(
            kubeconfig["clusters"][0]["cluster"]["server"], kubeconfig["users"][0]["user"]["token"], good
        )
        return f"127.0.0.1:{self.port}/{name}"

    def close(self, name: str) -> None:
        """Delete a cluster."""
        if self.clusters.pop(name, None):
            with self._localkube.admin() as admin:
                admin.delete(f"clusters/{name}")

    def objects(self, name: str, path: str) -> list[dict[str, Any]]:
        """Return what lies in a cluster below a path of its API."""
        cluster = self.clusters[name]
        trust = ssl.create_default_context(cafile=self._localkube.state / "ca.crt")
        answer = httpx.get(
            f"{cluster.server}{path}", headers={"Authorization": f"Bearer {cluster.token}"}, verify=trust
        )
        items: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
        return items

    def stop(self) -> None:
        """Stop serving; the clusters stay."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    async def _listen(self) -> None:
        app = web.Application(client_max_size=4 << 20)
        app.router.add_route("*", "/{cluster}/{path:.*}", self._pass)
        app.cleanup_ctx.append(self._session)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        self.port: int = self._runner.addresses[0][1]
        self._listening.set()

    async def _session(self, app: web.Application) -> Any:
        trust = ssl.create_default_context(cafile=self._localkube.state / "ca.crt")
        async with ClientSession(
            connector=TCPConnector(ssl=trust, limit=0), timeout=ClientTimeout(total=None)
        ) as self._client:
            yield

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        cluster = self.clusters.get(request.match_info["cluster"])
        if cluster is None:
            return _refusal(404, "NotFound")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not cluster.good(token):
            cluster.refused += 1
            return _refusal(401, "Unauthorized")
        if token not in cluster.tokens:
            cluster.tokens.append(token)
            self.tokens |= {token, cluster.token}
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
        async with self._client.request(
            request.method,
            f"{cluster.server}/{request.match_info['path']}",
            params=request.query,
            headers=headers | {"Authorization": f"Bearer {cluster.token}"},
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

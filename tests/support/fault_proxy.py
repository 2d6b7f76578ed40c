"""A proxy that injects faults between a client and a real server, by a schedule or by a seed.

It passes requests on and answers back, except where a fault is due: a refusal (an HTTP status, with headers
and body if wanted), a broken answer, a slow one, or one that is changed on its way. What stands behind it is
a real Kubernetes API, an S3 server or a GCS, which knows nothing of it.
"""

import asyncio
import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from loop_server import LoopServer

HOP_BY_HOP = {"host", "connection", "transfer-encoding", "content-length", "content-encoding"}
SLOW = 0.6  # s before a slow answer
SILENCE = 3.0  # s before none


@dataclass(frozen=True)
class Fault:
    """What happens to one request.

    :param kind: ``status``, ``reset`` (no answer), ``silent`` (none, though the connection stays), ``half``
        (cut off in the middle), ``slow``, ``lost`` (done, but the answer never comes), ``dated`` (with other
        headers) or ``changed``.
    :param change: what becomes of the body of an answer.
    """

    kind: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: str = '{"message": "injected"}'
    change: Callable[[bytes], bytes] = bytes


def refusal(status: int, **headers: str) -> Fault:
    """Return an answer of that HTTP status; header names are written with ``_`` for ``-``."""
    return Fault("status", status, {name.replace("_", "-"): value for name, value in headers.items()})


SLOW_DOWN = Fault(
    "status",
    503,
    {"Content-Type": "application/xml"},
    "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
)
RESET, HALF, LATE, LOST = Fault("reset"), Fault("half"), Fault("slow"), Fault("lost")


class FaultProxy(LoopServer):
    """A proxy before the server at ``target``.

    ``requests`` are those that came, as ``GET /path``; ``faults`` are due in their order, each for the next
    request that ``concerns`` takes; ``by_seed`` injects them at random, the same at each start.
    """

    def __init__(self, target: str, tls: ssl.SSLContext | None = None) -> None:
        self.target = target.rstrip("/")
        self.faults: list[Fault] = []
        self.concerns: Callable[[str], bool] = lambda request: True
        self.requests: list[str] = []
        self._chance: tuple[random.Random, float, list[Fault]] | None = None
        super().__init__(trust=tls)

    def inject(self, *faults: Fault, into: str = "") -> None:
        """Make faults due for the next requests whose method and path contain ``into``."""
        self.faults, self.concerns = list(faults), lambda request: into in request
        self.requests.clear()

    def by_seed(self, seed: int, rate: float, *faults: Fault) -> None:
        """Inject one of ``faults`` into each request with the probability ``rate``."""
        self._chance = (random.Random(seed), rate, list(faults))

    def cut(self) -> None:
        """Cut what is being answered, as a store does with a client that has stopped to read."""
        for connection in self._runner.server.connections if self._runner.server else ():
            if connection.transport:
                self._loop.call_soon_threadsafe(connection.transport.abort)

    def _due(self, request: str) -> Fault | None:
        if self.faults and self.concerns(request):
            return self.faults.pop(0)
        if self._chance and self._chance[0].random() < self._chance[1]:
            return self._chance[0].choice(self._chance[2])
        return None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on, or do what is due."""
        self.requests.append(f"{request.method} {request.path_qs}")
        fault = self._due(self.requests[-1])
        body = await request.read()
        if fault and fault.kind == "status":
            headers = {"Content-Type": "application/json", **fault.headers}
            return web.Response(status=fault.status, headers=headers, text=fault.body)
        if fault and fault.kind == "reset":
            return self._cut(request)
        if fault and fault.kind in ("slow", "silent"):
            await asyncio.sleep(SLOW if fault.kind == "slow" else SILENCE)
        status, headers, content = await self._pass_on(request, body)
        if fault and fault.kind == "dated":
            headers |= fault.headers
        if fault and fault.kind in ("lost", "silent"):
            return self._cut(request)
        if fault and fault.kind == "changed":
            content = fault.change(content)
        if fault and fault.kind == "half":
            answer = web.StreamResponse(
                status=status, headers={**headers, "Content-Length": str(len(content))}
            )
            await answer.prepare(request)
            await answer.write(content[: len(content) // 2])
            return self._cut(request)
        if request.method == "HEAD":
            headers["Content-Length"] = self._head_length
        return web.Response(status=status, headers=headers, body=content)

    async def _pass_on(self, request: web.Request, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        url = f"{self.target}{request.path_qs}"
        async with self._client.request(request.method, url, headers=headers, data=body) as answer:
            content = await answer.read()
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            self._head_length = answer.headers.get("Content-Length", "0")
            return answer.status, kept, content

    def _cut(self, request: web.Request) -> web.Response:
        if request.transport:
            request.transport.abort()
        return web.Response()


def kubeconfig_through(proxy: FaultProxy, kubeconfig: dict[str, Any]) -> dict[str, Any]:
    """Return a kubeconfig that leads through the proxy to the cluster of another one."""
    there = kubeconfig["clusters"][0]["cluster"]["server"]
    path = there.removeprefix(proxy.target)
    named = {"name": kubeconfig["clusters"][0]["name"]}
    return kubeconfig | {"clusters": [{**named, "cluster": {"server": f"{proxy.url}{path}"}}]}

"""What lies between a wait of hours and its cluster: tokens that end, a control plane that stumbles.

An API in front of the cluster under test. It gives out kubeconfigs as a localkube server does, each with a
token that is good for a few requests, fails as it is told, and else passes on what it is asked.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
from aiohttp import web

from kube_client import Kube

Fault = int | str
"""An HTTP status to refuse with, or "reset": the connection breaks."""


class TroubledApi:
    """Counts what it has given out and refused."""

    def __init__(self, kube: Kube, requests_a_token: int, faults: Sequence[Fault]) -> None:
        self._kube, self._requests_a_token, self._faults = kube, requests_a_token, list(faults)
        self._behind = httpx.AsyncClient(base_url=kube.url, headers=kube.headers, verify=kube.trust)
        self._left = 0
        self.tokens_given = 0
        self.refused = 0
        self.url = ""

    async def kubeconfig(self, request: web.Request) -> web.Response:
        """The admin API of localkube: a cluster with its kubeconfig. One request spends the first token."""
        self.tokens_given += 1
        self._left = self._requests_a_token if self.tokens_given > 1 else 1
        named = {"name": "troubled"}
        kubeconfig = {
            "current-context": "troubled",
            "clusters": [{**named, "cluster": {"server": self.url}}],
            "users": [{**named, "user": {"token": f"token-{self.tokens_given}"}}],
            "contexts": [{**named, "context": {"cluster": "troubled", "user": "troubled"}}],
        }
        return web.json_response({"phase": "Running", "kubeconfig": kubeconfig})

    async def answer(self, request: web.Request) -> web.Response:
        """A refusal, a fault, or the cluster's answer."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token != f"token-{self.tokens_given}" or self._left == 0:
            self.refused += 1
            return web.json_response({"message": "Unauthorized"}, status=401)
        self._left -= 1
        fault = self._faults.pop(0) if self._faults else 0
        if isinstance(fault, str):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if fault:
            return web.json_response({"message": f"told to say {fault}"}, status=fault)
        answer = await self._behind.get(request.path.lstrip("/"), params=dict(request.query))
        return web.Response(body=answer.content, status=answer.status_code, content_type="application/json")

    async def close(self) -> None:
        await self._behind.aclose()


@asynccontextmanager
async def troubled_api(
    kube: Kube, *, requests_a_token: int = 10**6, faults: Sequence[Fault] = ()
) -> AsyncIterator[TroubledApi]:
    """The API, listening on a free port of the loopback interface."""
    api = TroubledApi(kube, requests_a_token, faults)
    app = web.Application()
    app.router.add_get("/localkube/clusters/{name}", api.kubeconfig)
    app.router.add_get("/{path:.*}", api.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    api.url = "http://{}:{}".format(*runner.addresses[0][:2])
    yield api
    await runner.cleanup()
    await api.close()


def connection(api: TroubledApi) -> dict[str, Any]:
    """The Airflow connection that leads to it."""
    host, _, port = api.url.rpartition(":")
    return {"conn_type": "http", "host": host, "port": int(port), "password": "admin"}

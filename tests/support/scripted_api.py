"""A Kubernetes API that answers requests for Jobs, or the status of a DaemonSet, by a script.

It stands in front of nothing. What it injects are the faults of networks and control planes, which no real
server gives on demand; everything that talks to it is real.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

Step = int | str | dict[str, Any]
"""An HTTP status to refuse with, a fault of the connection ("reset", "half"), a proxy's
"page", also as a refusal in another encoding ("odd"), or a list of Jobs to give."""


class ScriptedApi:
    """Gives out a kubeconfig with a new token each time, and answers by the script; its last step repeats."""

    def __init__(self, script: Sequence[Step]) -> None:
        self.script = list(script)
        self.tokens_given = 0
        self.tokens_used: list[str] = []
        self.patches: list[tuple[str, dict[str, Any]]] = []
        self.pods: list[dict[str, Any]] = []
        self.more_pods = False
        self.events: list[dict[str, Any]] | int = []
        self.nodes: dict[str, dict[str, Any]] = {}
        self.removed: list[str] = []
        self.url = ""

    async def kubeconfig(self, request: web.Request) -> web.Response:
        """Return the admin API of localkube: the cluster, with its kubeconfig."""
        self.tokens_given += 1
        named = {"name": "scripted"}
        return web.json_response(
            {
                "phase": "Running",
                "kubeconfig": {
                    "current-context": "scripted",
                    "clusters": [{**named, "cluster": {"server": self.url}}],
                    "users": [{**named, "user": {"token": f"token-{self.tokens_given}"}}],
                    "contexts": [{**named, "context": {"cluster": "scripted", "user": "scripted"}}],
                },
            }
        )

    async def list_pods(self, request: web.Request) -> web.Response:
        """Return the pods of the phase that is asked for."""
        phase = request.query["fieldSelector"].removeprefix("status.phase=")
        items = [pod for pod in self.pods if pod["status"]["phase"] == phase]
        metadata = {"continue": "more"} if self.more_pods else {}
        return web.json_response(
            {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items}
        )

    async def list_events(self, request: web.Request) -> web.Response:
        """Return the events of the object that is asked for, or a refusal."""
        if isinstance(self.events, int):
            return web.json_response({"message": "told to refuse"}, status=self.events)
        uid = request.query["fieldSelector"].removeprefix("involvedObject.uid=")
        items = [event for event in self.events if event["involvedObject"]["uid"] == uid]
        return web.json_response({"kind": "EventList", "apiVersion": "v1", "items": items})

    async def node(self, request: web.Request) -> web.Response:
        """Return a node, or its removal."""
        name = request.match_info["name"]
        if name not in self.nodes:
            return web.json_response({"message": "no such node"}, status=404)
        if request.method == "DELETE":
            self.removed.append(name)
            self.pods = [pod for pod in self.pods if pod["spec"].get("nodeName") != name]
            return web.json_response({"kind": "Status"})
        return web.json_response({"kind": "Node"} | self.nodes[name])

    async def patch(self, request: web.Request) -> web.Response:
        """Note what is to become of a Job."""
        self.patches.append((request.match_info["name"], await request.json()))
        return web.json_response({"kind": "Job"})

    async def jobs(self, request: web.Request) -> web.StreamResponse:
        """Return the next step of the script."""
        self.tokens_used.append(request.headers["Authorization"].removeprefix("Bearer "))
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, int):
            return web.json_response({"message": f"told to say {step}"}, status=step)
        if isinstance(step, dict):
            return web.json_response(step)
        if step == "page":
            return web.Response(text="<html>Please log in</html>")
        if step == "odd":
            return web.Response(status=503, body=b"<html>Zur\xfcck</html>")
        if step == "half":
            body = json.dumps({"items": []}).encode()
            response = web.StreamResponse(headers={"Content-Length": str(2 * len(body))})
            await response.prepare(request)
            await response.write(body)
        if request.transport:
            request.transport.abort()
        await asyncio.sleep(0)
        return web.Response()


@asynccontextmanager
async def scripted_api(patch: pytest.MonkeyPatch, *script: Step) -> AsyncIterator[ScriptedApi]:
    """Yield the API, listening on a free port; the Airflow connection `localkube_default` leads to it."""
    api = ScriptedApi(script)
    app = web.Application()
    app.router.add_get("/localkube/clusters/{name}", api.kubeconfig)
    app.router.add_get("/apis/batch/v1/namespaces/{namespace}/jobs", api.jobs)
    app.router.add_get("/apis/apps/v1/namespaces/{namespace}/daemonsets/{name}/status", api.jobs)
    app.router.add_get("/api/v1/namespaces/{namespace}/pods", api.list_pods)
    app.router.add_get("/api/v1/namespaces/{namespace}/events", api.list_events)
    app.router.add_get("/api/v1/nodes/{name}", api.node)
    app.router.add_delete("/api/v1/nodes/{name}", api.node)
    app.router.add_patch("/apis/batch/v1/namespaces/{namespace}/jobs/{name}", api.patch)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    api.url = f"http://{host}:{port}"
    there = {"conn_type": "http", "host": f"http://{host}", "port": port, "password": "admin"}
    patch.setenv("AIRFLOW_CONN_LOCALKUBE_DEFAULT", json.dumps(there))
    yield api
    await runner.cleanup()

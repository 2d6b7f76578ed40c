"""HTTPS on the loopback interface: authenticate, find the cluster, and report errors."""

import asyncio
import hmac
import logging
import ssl

from aiohttp import web

from localkube.api.requests import LARGEST_BODY, json_body, json_response
from localkube.api.verbs import Api
from localkube.cluster import Clusters
from localkube.objects.errors import ApiError, no_such_path, not_allowed
from localkube.spec import ClusterSpec

log = logging.getLogger(__name__)
_INTERNAL = ApiError(500, "Internal error occurred: see the log of localkube")
_UNAUTHORIZED = ApiError(401, "Unauthorized")


class Server:
    """Routes requests to the admin API (/localkube/) and to the clusters (/clusters/NAME/)."""

    def __init__(self, clusters: Clusters, admin_token: str) -> None:
        self._clusters, self._admin_token = clusters, admin_token
        self._runner: web.AppRunner | None = None

    async def listen(self, port: int, tls: ssl.SSLContext) -> None:
        """Listen on a port; raise OSError when it is taken."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=tls, backlog=1024).start()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._route(request)
        except ApiError as error:
            return json_response(error.status(), error.code)
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception:
            log.exception("%s %s", request.method, request.path)
            return json_response(_INTERNAL.status(), _INTERNAL.code)

    async def _route(self, request: web.Request) -> web.StreamResponse:
        _, area, name, *rest = [*request.path.split("/", 3), "", ""][:4]
        if request.path == "/healthz":
            return web.Response(text="ok")
        if area == "clusters":
            cluster = self._clusters.get(name)
            _authorize(request, cluster.token)
            return await Api(cluster).handle(request, f"/{rest[0].rstrip('/')}")
        if area == "localkube" and name == "clusters":
            _authorize(request, self._admin_token)
            return await self._admin(request, [part for part in rest[0].split("/") if part])
        raise no_such_path()

    async def _admin(self, request: web.Request, parts: list[str]) -> web.Response:
        match request.method, parts:
            case "GET", []:
                items = [self._clusters.document(name) for name in self._clusters.names()]
                return json_response({"items": items})
            case "POST", []:
                spec = ClusterSpec.parse(await json_body(request))
                made = await self._clusters.create(spec)
                return json_response(self._clusters.document(spec.name), 201 if made else 200)
            case "GET", [name]:
                return json_response(self._clusters.document(name))
            case "DELETE", [name]:
                self._clusters.delete(name)
                return json_response(self._clusters.document(name), 202)
            case _, [] | [_]:
                raise not_allowed(request.method)
        raise no_such_path()


def _authorize(request: web.Request, token: str) -> None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise _UNAUTHORIZED

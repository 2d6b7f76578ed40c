"""An aiohttp server in a thread of its own, with a client for the real server behind it."""

import asyncio
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import ClassVar, Self

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web


class LoopServer(ABC):
    """Listens on a free port of the loopback interface; a subclass says what it answers."""

    route: ClassVar[str] = "/{path:.*}"

    def __init__(self, tls: ssl.SSLContext | None = None, trust: ssl.SSLContext | None = None) -> None:
        """Serve with the certificate of `tls`, if any; the client trusts what `trust` does."""
        self._tls, self._trust = tls, trust
        self._loop, self._listening = asyncio.new_event_loop(), threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._listening.wait(240)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    @abstractmethod
    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._listening.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    async def _listen(self) -> None:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", self.route, self.answer)
        app.cleanup_ctx.append(self._connect)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        self.port: int = self._runner.addresses[0][1]

    async def _connect(self, app: web.Application) -> AsyncIterator[None]:
        connector = TCPConnector(ssl=self._trust or True, limit=0)
        async with ClientSession(
            connector=connector, timeout=ClientTimeout(total=None), auto_decompress=False
        ) as self._client:
            yield

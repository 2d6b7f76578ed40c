"""Count requests and bytes between any client and a server: both ways of a bench go through this relay.

It knows only so much HTTP/1.1 that a client writes a request and waits for its answer: what the client writes
after an answer is the next request. It terminates TLS and begins it anew, so the bytes are those of HTTP,
head and body. A request costs it about 0.3 ms of CPU, for either way.
"""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

HOST = "127.0.0.1"
BLOCK = 1 << 16


@dataclass
class Traffic:
    """Requests, and bytes to and from the server."""

    requests: int = 0
    sent: int = 0
    received: int = 0


@dataclass(frozen=True)
class Tls:
    """The certificate that the relay shows its clients, and the authority it trusts in the server."""

    certificate: Path
    key: Path
    authority: Path


class Relay:
    """A port that forwards to another one, and counts."""

    def __init__(self, target: int, tls: Tls | None) -> None:
        self.port = 0
        self.delay = 0.0
        """Seconds by which each answer is delayed, as if the server were far or busy."""
        self._target = target
        self._accept = self._connect = None
        if tls:
            self._accept = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._accept.load_cert_chain(tls.certificate, tls.key)
            self._connect = ssl.create_default_context(cafile=tls.authority)
        self._seen = Traffic()

    def take(self) -> Traffic:
        """Return what has gone through since the last call."""
        seen, self._seen = self._seen, Traffic()
        return replace(seen)

    async def serve(self, ready: threading.Event, end: asyncio.Event) -> None:
        """Forward until told to end."""
        server = await asyncio.start_server(self._relay, HOST, 0, ssl=self._accept, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await end.wait()
        server.close()
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _relay(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        server, ask = await asyncio.open_connection(HOST, self._target, ssl=self._connect)
        asking = False

        async def requests() -> None:
            nonlocal asking
            while block := await client.read(BLOCK):
                self._seen.requests += not asking
                self._seen.sent += len(block)
                asking = True
                ask.write(block)
                await ask.drain()
            ask.close()

        async def answers() -> None:
            nonlocal asking
            while block := await server.read(BLOCK):
                self._seen.received += len(block)
                if asking and self.delay:
                    await asyncio.sleep(self.delay)
                asking = False
                answer.write(block)
                await answer.drain()
            answer.close()

        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await asyncio.gather(requests(), answers())


@contextmanager
def relay(target: int, tls: Tls | None = None) -> Iterator[Relay]:
    """Forward to a port of this machine, in a thread, while this context lasts."""
    made = Relay(target, tls)
    ready, end = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(made.serve(ready, end)), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()

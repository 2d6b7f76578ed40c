"""An HTTP object store that misbehaves on demand: the last part of the key says how.

Real servers seldom fail when a test would like them to. This one serves one object under many keys, each
with a fault of its own, and counts the requests.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast
from urllib.parse import unquote

import pytest


class FaultyStore(ThreadingHTTPServer):
    """Serves `content` as `ok.root` and, with faults, under the other names that `_Handler` knows."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.requests: Counter[str] = Counter()

    def url(self, key: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{key}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = cast(FaultyStore, self.server)
        name = unquote(self.path).rpartition("/")[2]
        server.requests[name] += 1
        match name:
            case "ok.root":
                self._send(server.content)
            case "unavailable.root":
                self._fail(503)
            case "unavailable-once.root" if server.requests[name] == 1:
                self._fail(503)
            case "unavailable-once.root":
                self._send(server.content)
            case "forbidden.root":
                self._fail(403)
            case "cut.root":
                self._send(server.content[: len(server.content) // 2], length=len(server.content))
            case "endless.root":
                self._trickle(length=10**9)
            case _:
                self._fail(404)

    def _send(self, body: bytes, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length or len(body)))
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Sat, 01 Dec 2012 00:00:00 GMT")
        self.end_headers()
        self.wfile.write(body)
        if length is not None:
            self.close_connection = True

    def _trickle(self, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.send_header("Last-Modified", "Sat, 01 Dec 2012 00:00:00 GMT")
        self.end_headers()
        try:
            while True:
                self.wfile.write(bytes(1024))
                time.sleep(0.05)
        except OSError:
            self.close_connection = True

    def _fail(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def faulty_store(shard_file: Path) -> Iterator[FaultyStore]:
    """A faulty store that serves the content of the `shard_file` fixture."""
    store = FaultyStore(shard_file.read_bytes())
    thread = threading.Thread(target=store.serve_forever, daemon=True)
    thread.start()
    yield store
    store.shutdown()
    store.server_close()
    thread.join()

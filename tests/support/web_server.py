"""A web server for files as archives run them: TLS, ranges, ETags; it counts what it sends.

Its certificate is of an authority of its own, which processes trust by SSL_CERT_FILE.
"""

import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

import pytest

from localkube.pki import server_context
from workload import storage


class WebServer(ThreadingHTTPServer):
    """Serves the bytes of `files` by their path.

    `sent` counts the bytes of bodies by path, `requests` has method, path and Range header of each request.
    Of the paths in `whole` no ranges are served, those in `nameless` have no ETag, and those in `odd` are
    answered with that status and these headers.
    """

    daemon_threads = True

    def __init__(self, state: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        state.mkdir()
        self.socket = server_context(state).wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )
        self.authority = state / "ca.crt"
        self.address = f"https://127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes] = {}
        self.whole: set[str] = set()
        self.nameless: set[str] = set()
        self.odd: dict[str, tuple[int, dict[str, str]]] = {}
        self.sent: dict[str, int] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        self.counting = threading.Lock()

    def put(self, path: str, content: bytes) -> str:
        """Serve a file; gives its URL."""
        self.files[path] = content
        return f"{self.address}/{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up, or do not trust the certificate."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        server = cast(WebServer, self.server)
        path = self.path.lstrip("/")
        with server.counting:
            server.requests.append((self.command, path, self.headers["Range"]))
        content = server.files.get(path)
        if content is None:
            self._head(*server.odd.get(path, (404, {})))
            return
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"] or "")
        if wanted is None or path in server.whole:
            status, headers = server.odd.get(path, (200, {}))
            self._head(status, self._etag(path, content) | headers, len(content))
            part = content
        else:
            start, stop = int(wanted[1]), min(int(wanted[2]) + 1, len(content))
            part = content[start:stop]
            span = {"Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"}
            self._head(206, self._etag(path, content) | span, len(part))
        if self.command == "GET":
            with server.counting:
                server.sent[path] = server.sent.get(path, 0) + len(part)
            self.wfile.write(part)

    def _etag(self, path: str, content: bytes) -> dict[str, str]:
        if path in cast(WebServer, self.server).nameless:
            return {}
        return {"ETag": f'"{hashlib.sha256(content).hexdigest()[:16]}"'}

    def _head(self, status: int, headers: dict[str, str], length: int = 0) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def one_web_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Yield a server for all tests."""
    server = WebServer(tmp_path_factory.mktemp("web") / "tls")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def web_server(one_web_server: WebServer, monkeypatch: pytest.MonkeyPatch) -> WebServer:
    """Return that server, empty and trusted by this process."""
    one = one_web_server
    for kept in (one.files, one.sent, one.whole, one.nameless, one.odd):
        kept.clear()
    one_web_server.requests.clear()
    monkeypatch.setenv("SSL_CERT_FILE", str(one_web_server.authority))
    storage._store.cache_clear()  # a store keeps the certificates and the patience it was made with
    return one_web_server

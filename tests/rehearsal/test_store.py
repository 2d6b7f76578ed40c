"""The rehearsal's S3 server answers as moto's does, whatever clients ask of it."""

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest

from demo.ports import free_port
from demo.settings import REPOSITORY
from waiting import answers, eventually

CONTENT = b"0123456789" * 10
SIGNED = "AWS4-HMAC-SHA256 Credential=tests/20260101/us-east-1/s3/aws4_request, Signature=0"
LISTED = "<(Contents><Key|CommonPrefixes><Prefix|Deleted><Key|Code|IsTruncated|KeyCount)>(.*?)<"
KEYS = ("a/1", "a/2", "a/b/3", "c d/ü+%&<.json", "e")
DELETION = b"<Delete><Object><Key>a/1</Key></Object><Object><Key>never/there</Key></Object></Delete>"


@pytest.fixture(scope="module")
def own() -> Iterator[str]:
    """The URL of the rehearsal's server."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "rehearsal.store", "--port", str(port)]
    server = subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": "plugins:include"})

    eventually(lambda: answers(url), "the server answers")
    yield url
    server.kill()
    server.wait()


def told(server: str, *requests: tuple[str, str, bytes]) -> list[object]:
    """What a server answers to requests about a bucket with some objects, and which objects are left."""
    bucket = f"{server}/test-{uuid.uuid4()}"
    with httpx.Client(headers={"Authorization": SIGNED}, trust_env=False) as client:
        client.put(bucket)
        for key in KEYS:
            client.put(f"{bucket}/{quote(key)}", content=CONTENT)
        answers: list[object] = []
        for method, path, content in requests:
            answer = client.request(method, f"{bucket}{path}", content=content)
            answers.append((answer.status_code, answer.headers.get("ETag")))
            answers.append(sorted(re.findall(LISTED, answer.text)) or answer.content)
        return [*answers, sorted(re.findall(LISTED, client.get(f"{bucket}?list-type=2").text))]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/a/1", "/never/there"])
def test_an_object_is_read(own: str, s3_endpoint: str, method: str, path: str) -> None:
    assert told(own, (method, path, b"")) == told(s3_endpoint, (method, path, b""))


@pytest.mark.parametrize(
    "request_",
    [
        ("PUT", "/a/1", b"new"),
        ("DELETE", "/a/1", b""),
        ("DELETE", "/never/there", b""),
        ("POST", "?delete=", DELETION),
    ],
    ids=str,
)
def test_objects_are_replaced_and_removed(
    own: str, s3_endpoint: str, request_: tuple[str, str, bytes]
) -> None:
    then = ("GET", "/a/1", b"")
    assert told(own, request_, then) == told(s3_endpoint, request_, then)


@pytest.mark.parametrize(
    "query",
    [
        *("", "prefix=a/", "prefix=a", "prefix=zz", "delimiter=/", "prefix=a/&delimiter=/", "max-keys=2"),
        *("max-keys=0", "start-after=a/2", "start-after=a/2&prefix=a/", "prefix=c%20d/", "prefix=a/b/3"),
        *("delimiter=/&max-keys=1", "encoding-type=url", "fetch-owner=false"),
    ],
)
def test_a_bucket_is_listed_by_every_parameter(own: str, s3_endpoint: str, query: str) -> None:
    request = ("GET", f"?list-type=2&{query}", b"")
    assert told(own, request) == told(s3_endpoint, request)

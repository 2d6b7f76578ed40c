"""The demo's S3 server answers as moto's does, and what it has answered outlives a kill."""

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from urllib.parse import quote

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from demo.ports import free_port
from demo.settings import REPOSITORY
from waiting import answers, eventually

PART = 5 << 20  # bytes: the smallest that S3 takes
CONTENT = b"0123456789" * 10
SIGNED = "AWS4-HMAC-SHA256 Credential=tests/20260101/us-east-1/s3/aws4_request, Signature=0"
LISTED = "<(Contents><Key|CommonPrefixes><Prefix|Deleted><Key|Code|IsTruncated|KeyCount)>(.*?)<"
KEYS = ("a/1", "a/2", "a/b/3", "c d/ü+%&<.json", "e")
DELETION = b"<Delete><Object><Key>a/1</Key></Object><Object><Key>never/there</Key></Object></Delete>"
RANGES = ("0-9", "30-", "-7", "99-200", "100-", "50-20", "x-y")
Restart = Callable[[], None]


@pytest.fixture
def address() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def restart(tmp_path: Path, address: str) -> Iterator[Restart]:
    """Kills the server as `kill -9` does, and starts it again; it runs from the beginning."""
    running: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        for server in running:
            server.kill()
            server.wait()
        running.clear()

    def restart() -> None:
        kill()
        where = ("--file", str(tmp_path / "s3.sqlite"), "--port", address.rpartition(":")[2])
        with (tmp_path / "s3.log").open("ab") as log:
            command = [sys.executable, "-m", "demo.store", *where]
            environment = {**os.environ, "PYTHONPATH": "plugins:include"}
            running.append(subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=log, stderr=log))
        eventually(lambda: answers(address), "the S3 server answers")

    restart()
    yield restart
    kill()


@pytest.fixture
def s3(address: str) -> "boto3.client":
    return boto3.client(
        "s3",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id="tests",
        aws_secret_access_key="tests-secret",
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


def listed(s3: "boto3.client", bucket: str) -> list[tuple[str, str, int, datetime]]:
    found = s3.list_objects_v2(Bucket=bucket).get("Contents", ())
    return [(item["Key"], item["ETag"], item["Size"], item["LastModified"]) for item in found]


def told(server: str, *requests: tuple[str, str, dict[str, str], bytes]) -> list[object]:
    """Return what a server answers to requests about a bucket with some objects, and what is left."""
    bucket = f"{server}/test-{uuid.uuid4()}"
    with httpx.Client(headers={"Authorization": SIGNED}, trust_env=False) as client:
        client.put(bucket)
        for key in KEYS:
            client.put(f"{bucket}/{quote(key)}", content=CONTENT)
        answers: list[object] = []
        for method, path, headers, content in requests:
            answer = client.request(method, f"{bucket}{path}", headers=headers, content=content)
            answers.append((answer.status_code, answer.headers.get("Content-Range")))
            answers.append(sorted(re.findall(LISTED, answer.text)) or answer.content)
        return [*answers, sorted(re.findall(LISTED, client.get(f"{bucket}?list-type=2").text))]


def test_requests_are_answered_as_by_moto(restart: Restart, address: str, s3_endpoint: str) -> None:
    asked = [
        (method, path, {}, b"") for method in ("GET", "HEAD", "DELETE") for path in ("/a/1", "/never/there")
    ]
    asked += [
        (method, "/a/1", {"Range": f"bytes={one}"}, b"") for method in ("GET", "HEAD") for one in RANGES
    ]
    asked += [("PUT", "/a/1", {}, b"new"), ("POST", "?delete=", {}, DELETION)]
    asked += [
        ("GET", f"?list-type=2&{query}", {}, b"")
        for query in (
            *("", "prefix=a/", "prefix=a", "prefix=zz", "delimiter=/", "prefix=a/&delimiter=/", "max-keys=2"),
            *("max-keys=0", "start-after=a/2", "start-after=a/2&prefix=a/", "prefix=c%20d/", "prefix=a/b/3"),
            *("delimiter=/&max-keys=1", "encoding-type=url", "fetch-owner=false"),
        )
    ]
    for request in asked:
        then = ("GET", "/a/1", {}, b"")
        assert told(address, request, then) == told(s3_endpoint, request, then), request


def test_what_no_campaign_sends_is_refused_and_nothing_is_written(
    restart: Restart, s3: "boto3.client"
) -> None:
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="one", Body=b"1")
    with pytest.raises(ClientError, match="NotImplemented"):
        s3.copy_object(Bucket="kept", Key="two", CopySource={"Bucket": "kept", "Key": "one"})
    assert [key for key, *_ in listed(s3, "kept")] == ["one"]


def test_all_is_there_again_after_it_was_killed(restart: Restart, s3: "boto3.client") -> None:
    for bucket in ("kept", "emptied"):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket="kept", Key="a b/ä%2F+.json", Body=b"first")
    s3.put_object(Bucket="kept", Key="a b/ä%2F+.json", Body=b"second")
    upload = s3.create_multipart_upload(Bucket="kept", Key="large")["UploadId"]
    of_upload = {"Bucket": "kept", "Key": "large", "UploadId": upload}
    etags = [
        s3.upload_part(**of_upload, PartNumber=number, Body=content)["ETag"]
        for number, content in enumerate((b"1" * PART, b"2"), 1)
    ]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
    s3.complete_multipart_upload(**of_upload, MultipartUpload={"Parts": parts})
    for key in ("one", "two", "three"):
        s3.put_object(Bucket="emptied", Key=key, Body=b"")
    s3.delete_object(Bucket="emptied", Key="one")
    s3.delete_objects(Bucket="emptied", Delete={"Objects": [{"Key": "two"}, {"Key": "three"}]})
    before = listed(s3, "kept")
    assert [key for key, *_ in before] == ["a b/ä%2F+.json", "large"]
    for _ in range(2):
        restart()
        assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["emptied", "kept"]
        assert listed(s3, "kept") == before
        assert listed(s3, "emptied") == []
        assert s3.get_object(Bucket="kept", Key="a b/ä%2F+.json")["Body"].read() == b"second"
        assert s3.get_object(Bucket="kept", Key="large")["Body"].read() == b"1" * PART + b"2"
        s3.create_bucket(Bucket="kept")


def test_what_was_answered_is_there_whenever_it_is_killed(restart: Restart, s3: "boto3.client") -> None:
    s3.create_bucket(Bucket="results")
    answered: list[str] = []
    enough, end = Event(), Event()

    def write() -> None:
        while not end.is_set():
            key = f"{len(answered):06}"
            try:
                s3.put_object(Bucket="results", Key=key, Body=key.encode() * 500)
            except (BotoCoreError, ClientError):
                continue
            answered.append(key)
            if len(answered) % 40 == 0:
                enough.set()

    writer = Thread(target=write)
    writer.start()
    for _ in range(3):
        enough.clear()
        enough.wait()
        restart()
    end.set()
    writer.join()
    found = s3.get_paginator("list_objects_v2").paginate(Bucket="results")
    there = [item["Key"] for page in found for item in page["Contents"]]
    assert len(answered) >= 80
    assert sorted(set(answered) - set(there)) == []
    assert all(s3.get_object(Bucket="results", Key=k)["Body"].read() == k.encode() * 500 for k in there)

"""The demo's S3 server has, after it was killed, all that it had said to have written."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from threading import Event, Thread

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from demo.ports import free_port
from demo.settings import REPOSITORY
from waiting import answers, eventually

PART = 5 << 20  # bytes: the smallest that S3 takes
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


def test_all_is_there_again_after_it_was_killed(restart: Restart, s3: "boto3.client") -> None:
    for bucket in ("kept", "emptied", "removed"):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket="kept", Key="a b/ä%2F+.json", Body=b"first")
    s3.put_object(Bucket="kept", Key="a b/ä%2F+.json", Body=b"second")
    s3.copy_object(Bucket="kept", Key="copy", CopySource={"Bucket": "kept", "Key": "a b/ä%2F+.json"})
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
    s3.delete_bucket(Bucket="removed")
    before = listed(s3, "kept")
    assert [key for key, *_ in before] == ["a b/ä%2F+.json", "copy", "large"]
    for _ in range(2):
        restart()
        assert {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} == {"emptied", "kept"}
        assert listed(s3, "kept") == before
        assert listed(s3, "emptied") == []
        assert s3.get_object(Bucket="kept", Key="copy")["Body"].read() == b"second"
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
    there = [item["Key"] for item in s3.list_objects_v2(Bucket="results")["Contents"]]
    assert len(answered) >= 80
    assert sorted(set(answered) - set(there)) == []
    assert all(s3.get_object(Bucket="results", Key=k)["Body"].read() == k.encode() * 500 for k in there)

"""A real S3 server on a local port, for tests of what reads and writes buckets."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Bucket:
    """One empty bucket: its name, the variables a process needs to reach it, and a client."""

    name: str
    environ: dict[str, str]
    client: "S3Client"

    def keys(self, prefix: str = "") -> list[str]:
        """All keys below a prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def read(self, key: str) -> bytes:
        """Return the content of an object."""
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def write(self, key: str, content: bytes) -> None:
        """Write an object."""
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def write_all(self, objects: Iterable[tuple[str, bytes]]) -> None:
        """Write many objects straight into the server's memory: its HTTP takes a minute for 27,000."""
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        for key, content in objects:
            backend.put_object(self.name, key, content)

    def connection(self, endpoint: str | None = None) -> dict[str, Any]:
        """Return an Airflow connection to its server, or to another endpoint with the same keys."""
        extra = {"endpoint_url": endpoint or self.environ["AWS_ENDPOINT_URL"], "region_name": "us-east-1"}
        keys = {"login": self.environ["AWS_ACCESS_KEY_ID"], "password": self.environ["AWS_SECRET_ACCESS_KEY"]}
        return {"conn_type": "aws", **keys, "extra": extra}


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Yield the URL of an S3 server that lives as long as the test session."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_endpoint: str, request: pytest.FixtureRequest) -> Bucket:
    """Return a new bucket of that server, named for the test."""
    environ = {
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests-secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": s3_endpoint,
    }
    client = boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        region_name=environ["AWS_REGION"],
    )
    name = f"test-{abs(hash(request.node.nodeid)) % 10**12}-{os.getpid()}"
    client.create_bucket(Bucket=name)
    return Bucket(name, environ, client)

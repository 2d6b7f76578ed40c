"""An empty bucket of each kind of store, and Airflow connections to it: with keys, without, to nowhere."""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from gcs_server import Gcs
from s3_server import Bucket


@dataclass(frozen=True)
class Kind:
    """A bucket of one kind of store, and what its server can be told besides."""

    url: str
    keys: Callable[[], list[str]]
    make_public: Callable[[str], None]
    put_all: Callable[[Iterable[tuple[str, bytes]]], None]


def connect(monkeypatch: pytest.MonkeyPatch, **connections: Any) -> None:
    """Make Airflow connections of the given names."""
    for name, document in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(document))


@pytest.fixture(params=["s3", "gs"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Return a bucket of each kind in turn."""
    found: Kind = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def s3(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Kind:
    """Return a bucket of an S3 server."""
    with_keys = bucket.connection()
    extra = with_keys["extra"]
    anonymous = {"conn_type": "aws", "extra": extra | {"config_kwargs": {"signature_version": "unsigned"}}}
    once = {"endpoint_url": "http://127.0.0.1:1", "config_kwargs": {"retries": {"max_attempts": 1}}}
    unreachable = with_keys | {"extra": extra | once}
    connect(monkeypatch, with_keys=with_keys, anonymous=anonymous, unreachable=unreachable)

    def make_public(key: str) -> None:
        bucket.client.put_object_acl(Bucket=bucket.name, Key=key, ACL="public-read")

    return Kind(f"s3://{bucket.name}", bucket.keys, make_public, bucket.write_all)


@pytest.fixture
def gs(gcs: Gcs, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kind:
    """Return a bucket of a GCS."""
    name = f"test-{abs(hash(request.node.nodeid)) % 10**12}-{os.getpid()}"
    gcs.make_bucket(name)
    anonymous = {"is_anonymous": True, "gcs_api_endpoint": gcs.url}
    connect(
        monkeypatch,
        with_keys=json.loads(gcs.connection()),
        anonymous={"conn_type": "google_cloud_platform", "extra": anonymous},
        unreachable=json.loads(gcs.connection(gcs_api_endpoint="http://127.0.0.1:1")),
    )

    return Kind(
        f"gs://{name}", lambda: gcs.keys(name), lambda _: gcs.public.add(name), partial(gcs.put_all, name)
    )

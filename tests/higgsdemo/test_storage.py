"""The object store on a real S3 server, reached through Airflow connections."""

from __future__ import annotations

import json

import pytest

from higgsdemo.storage import ObjectStore, StorageError, pod_environment
from s3_server import Bucket, bucket, s3_endpoint

__all__ = ["bucket", "s3_endpoint"]


@pytest.fixture(autouse=True)
def connections(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = bucket.environ["AWS_ENDPOINT_URL"]
    extra = {"endpoint_url": endpoint, "region_name": "us-east-1"}
    with_keys = {"conn_type": "aws", "login": "tests", "password": "tests-secret", "extra": extra}
    anonymous = {"conn_type": "aws", "extra": extra | {"config_kwargs": {"signature_version": "unsigned"}}}
    unreachable = with_keys | {"extra": extra | {"endpoint_url": "http://127.0.0.1:1"}}
    monkeypatch.setenv("AIRFLOW_CONN_WITH_KEYS", json.dumps(with_keys))
    monkeypatch.setenv("AIRFLOW_CONN_ANONYMOUS", json.dumps(anonymous))
    monkeypatch.setenv("AIRFLOW_CONN_UNREACHABLE", json.dumps(unreachable))


@pytest.fixture
def store(bucket: Bucket) -> ObjectStore:
    return ObjectStore(f"s3://{bucket.name}/some/folder/", "with_keys")


def test_what_is_written_is_read_at_its_url(store: ObjectStore, bucket: Bucket) -> None:
    assert store.write("a/b.json", b"{}") == f"s3://{bucket.name}/some/folder/a/b.json"
    assert bucket.keys() == ["some/folder/a/b.json"]
    assert store.read("a/b.json") == b"{}"


def test_a_listing_pages_through_everything_below_a_prefix(store: ObjectStore) -> None:
    for number in range(1203):
        store.write(f"many/{number:04}", b"x" * (number % 7))
    store.write("other/one", b"")
    listed = list(store.list("many"))
    assert [stored.key for stored in listed] == [f"many/{number:04}" for number in range(1203)]
    assert [stored.size for stored in listed] == [number % 7 for number in range(1203)]


def test_a_prefix_ends_at_a_path_segment(store: ObjectStore) -> None:
    store.write("results/A/1", b"")
    store.write("results/AB/1", b"")
    assert [stored.key for stored in store.list("results/A")] == ["results/A/1"]


def test_many_objects_are_read_in_the_order_asked_for(store: ObjectStore) -> None:
    keys = [f"{number}" for number in range(50)]
    for key in keys:
        store.write(key, key.encode())
    assert list(store.read_all(reversed(keys))) == [(key, key.encode()) for key in reversed(keys)]


def test_an_object_exists_once_it_is_written(store: ObjectStore) -> None:
    assert not store.exists("a")
    store.write("a", b"")
    assert store.exists("a")


def test_keys_with_spaces_and_unicode_come_back_as_they_are(store: ObjectStore) -> None:
    store.write("a b/ü+%.root", b"1")
    assert [stored.key for stored in store.list()] == ["a b/ü+%.root"]
    assert store.read("a b/ü+%.root") == b"1"


def test_a_missing_object_is_named(store: ObjectStore) -> None:
    with pytest.raises(StorageError, match=r"^cannot read s3://.*/some/folder/absent: there is no such"):
        store.read("absent")


def test_a_missing_bucket_is_named() -> None:
    store = ObjectStore("s3://no-such-bucket/x", "with_keys")
    with pytest.raises(StorageError, match=r"^cannot list s3://no-such-bucket/x: there is no such bucket"):
        list(store.list())


def test_a_public_bucket_is_read_without_keys(store: ObjectStore, bucket: Bucket) -> None:
    store.write("public", b"1")
    bucket.client.put_object_acl(Bucket=bucket.name, Key="some/folder/public", ACL="public-read")
    anonymous = ObjectStore(f"s3://{bucket.name}/some/folder", "anonymous")
    assert anonymous.read("public") == b"1"


def test_pods_get_the_keys_of_the_connection(bucket: Bucket) -> None:
    assert pod_environment(f"s3://{bucket.name}", "with_keys") == {
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests-secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": bucket.environ["AWS_ENDPOINT_URL"],
    }


def test_pods_may_see_the_store_at_another_address(bucket: Bucket) -> None:
    environment = pod_environment(f"s3://{bucket.name}", "with_keys", "http://s3.default.svc:9000")
    assert environment["AWS_ENDPOINT_URL"] == "http://s3.default.svc:9000"


def test_pods_read_a_public_bucket_without_keys(bucket: Bucket) -> None:
    assert pod_environment(f"s3://{bucket.name}", "anonymous") == {
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": bucket.environ["AWS_ENDPOINT_URL"],
        "AWS_SKIP_SIGNATURE": "true",
    }


def test_an_unknown_connection_is_named(bucket: Bucket) -> None:
    with pytest.raises(StorageError, match="'nowhere'"):
        ObjectStore(f"s3://{bucket.name}", "nowhere")


def test_a_store_that_does_not_answer_is_named(bucket: Bucket) -> None:
    store = ObjectStore(f"s3://{bucket.name}", "unreachable")
    with pytest.raises(StorageError, match=rf"^cannot read s3://{bucket.name}/a with .* 'unreachable'"):
        store.read("a")


def test_another_scheme_is_refused() -> None:
    with pytest.raises(StorageError, match=r"^ftp://x is no bucket URL: s3://"):
        ObjectStore("ftp://x", "with_keys")

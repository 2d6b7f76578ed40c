"""What pods are told of their buckets, out of Airflow connections."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from higgsdemo.storage.connections import (
    Access,
    PodStore,
    StorageError,
    access,
    ca_environment,
    holds_secrets,
    pod_environment,
)
from higgsdemo.storage.object_store import ObjectStore
from stores import connect
from tables import cases

S3 = {
    "AWS_REGION": "eu-west-1",
    "AWS_ENDPOINT_URL": "https://s3.cern.ch",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret-key",
}
KEY = {"type": "service_account", "client_email": "a@b.iam.gserviceaccount.com", "private_key": "-----"}
AUTHORITY = trustme.CA()
ROLE = "arn:aws:iam::123456789012:role/pods"
ACCOUNT = "pods@project.iam.gserviceaccount.com"


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"endpoint_url": "https://s3.cern.ch", "region_name": "eu-west-1"}
    amazon = {"conn_type": "aws", "login": "key", "password": "secret-key", "extra": extra}
    public = {"region_name": "us-east-1", "config_kwargs": {"signature_version": "unsigned"}}
    paid = {"request_payer": True, "server_side_encryption": "aws:kms", "sse_kms_key_id": "alias/higgs"}
    connect(
        monkeypatch,
        amazon=amazon,
        public={"conn_type": "aws", "extra": public},
        paid=amazon | {"extra": extra | {"service_config": {"s3": paid}}},
        temporary=amazon | {"extra": extra | {"aws_session_token": "for-an-hour"}},
        google={"conn_type": "google_cloud_platform", "extra": {"keyfile_dict": KEY}},
        google_text={"conn_type": "google_cloud_platform", "extra": {"keyfile_dict": json.dumps(KEY)}},
        google_public={"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True}},
        keyless={"conn_type": "google_cloud_platform", "extra": {"quota_project_id": "who-pays-for-it"}},
    )


def s3(connection: str = "amazon", **more: Any) -> PodStore:
    return PodStore("s3://data", connection, **more)


def gs(connection: str = "google", **more: Any) -> PodStore:
    return PodStore("gs://data", connection, **more)


@cases
def test_pods_are_told_what_opens_their_stores(
    source: dict[str, str], output: dict[str, str], told: dict[str, str], secret: bool
) -> None:
    environment = pod_environment(PodStore(**source), PodStore(**output))
    assert (environment, holds_secrets(environment)) == (told, secret)


def test_the_key_may_lie_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = {"conn_type": "google_cloud_platform", "extra": {"key_path": str(tmp_path / "key.json")}}
    monkeypatch.setenv("AIRFLOW_CONN_FILE", json.dumps(document))
    with pytest.raises(StorageError, match=r"key.json, which cannot be read: No such file"):
        pod_environment(gs("file"), gs("file"))
    (tmp_path / "key.json").write_text("the key")
    assert pod_environment(gs("file"), gs("file")) == {"GOOGLE_SERVICE_ACCOUNT_KEY": "the key"}


def test_a_connection_without_a_key_is_told_what_to_do() -> None:
    with pytest.raises(StorageError) as refused:
        pod_environment(gs("keyless"), s3())
    assert str(refused.value) == (
        "the Airflow connection 'keyless' has no key that pods could use gs://data with: give it one, or "
        "the cluster a pod_identity"
    )


AMAZON = {"conn_type": "aws", "login": "key", "password": "secret-key"}
GOOGLE = {"conn_type": "google_cloud_platform"}


@pytest.mark.parametrize(
    ("url", "document", "why"),
    [
        ("s3://data", AMAZON | {"extra": {"endpoint_url": "minio:9000"}}, 'its endpoint is "minio:9000"; it'),
        ("s3://data", AMAZON | {"extra": {"endpoint_url": 9000}}, "its endpoint is 9000; it must be a URL"),
        ("s3://data", AMAZON | {"login": "key\n"}, "one of its keys has a character that no key has"),
        ("gs://data", GOOGLE | {"extra": {"keyfile_dict": {"type": "x"}}}, "its key has no 'private_key'"),
        ("gs://data", GOOGLE | {"extra": {"gcs_api_endpoint": "store"}}, 'its endpoint is "store"; it must'),
        ("s3://data", "{", "AIRFLOW_CONN_ODD is neither a URL nor JSON"),
    ],
)
def test_a_connection_that_opens_no_store_is_told_by_what_is_wrong_in_it(
    url: str, document: Any, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ODD", document if document == "{" else json.dumps(document))
    with pytest.raises(StorageError, match=rf"connection 'odd' cannot be used: {why}"):
        ObjectStore(url, "odd").exists("any")


def test_the_connections_word_on_payment_and_encryption_reaches_both_clients() -> None:
    expected = {"request_payer": True, "server_side_encryption": "aws:kms", "sse_kms_key_id": "alias/higgs"}
    reached = access("s3://data", "paid")
    assert reached.settings.items() >= expected.items()
    assert "secret_access_key" not in reached.settings
    assert pod_environment(s3("paid"), s3("paid")) == S3 | {
        "AWS_REQUEST_PAYER": "true",
        "AWS_SERVER_SIDE_ENCRYPTION": "aws:kms",
        "AWS_SSE_KMS_KEY_ID": "alias/higgs",
    }


def test_temporary_keys_are_asked_for_again_and_again() -> None:
    reached = access("s3://data", "temporary")
    assert reached == Access({"region": "eu-west-1", "endpoint": "https://s3.cern.ch"}, reached.provider)
    assert reached.provider()["token"] == "for-an-hour"
    assert pod_environment(s3("temporary"), s3("temporary")) == S3 | {"AWS_SESSION_TOKEN": "for-an-hour"}


@pytest.mark.parametrize("url", ["https://data.example.org/A", "root://eos.example.org//A"])
def test_servers_that_are_open_to_everybody_need_no_connection(url: str) -> None:
    assert access(url, "") == Access({})
    assert pod_environment(PodStore(url, ""), PodStore("s3://results", "amazon")) == S3


def test_pods_are_handed_the_certificates_of_a_sites_own_authority(tmp_path: Path) -> None:
    path = tmp_path / "site.pem"
    path.write_bytes(AUTHORITY.cert_pem.bytes())
    assert ca_environment(str(path)) == {"CA_CERTIFICATES": path.read_text()}
    assert ca_environment(None) == {}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "which cannot be read: .*No such file"),
        (b"\xff\xfe", "which cannot be read: "),
        (b"a key", "which holds something else than certificates"),
        (AUTHORITY.private_key_pem.bytes(), "which holds something else than certificates"),
        (AUTHORITY.cert_pem.bytes() + b"a secret", "which holds something else than certificates"),
        (
            b"-----BEGIN CERTIFICATE-----\nYSBzZWNyZXQ=\n-----END CERTIFICATE-----",
            "which has an invalid certificate",
        ),
        (b"-----BEGIN CERTIFICATE-----\n" * 3000, "of 84000 bytes; 65536 are allowed"),
    ],
)
def test_what_are_no_certificates_for_pods_is_refused(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "site.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StorageError, match=rf"^storage\.pod_ca names {path},? {reason}"):
        ca_environment(str(path))


@pytest.fixture
def worker_with_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the worker an identity of its own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-worker")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-worker")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-of-the-worker")


@pytest.mark.usefixtures("worker_with_keys")
@pytest.mark.parametrize(
    "store", [s3("no_such"), gs("no_such"), s3("google"), gs("amazon"), s3("ssh"), s3("nobody")]
)
def test_no_pod_gets_keys_of_a_connection_that_is_not_there_of_another_type_or_the_workers(
    store: PodStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh = {"conn_type": "ssh", "login": "me", "password": "of-ssh"}
    connect(monkeypatch, ssh=ssh, nobody={"conn_type": "aws"})
    with pytest.raises(
        StorageError, match=rf"connection '{store.connection}' (cannot be used|has no key)"
    ) as told:
        pod_environment(store, store)
    assert "of-" not in str(told.value)
    identified = replace(store, identity=ROLE if store.url.startswith("s3") else ACCOUNT)
    if store.connection == "nobody":
        assert pod_environment(identified, identified) == {"AWS_REGION": "us-east-1"}


@pytest.mark.usefixtures("worker_with_keys")
def test_no_key_of_the_worker_goes_with_those_of_a_connection() -> None:
    reached = access("s3://data", "amazon")
    assert "access_key_id" not in reached.settings, "obstore would lay AWS_SESSION_TOKEN beside it"
    keys = reached.provider()
    assert (keys["access_key_id"], keys["token"]) == ("key", None)

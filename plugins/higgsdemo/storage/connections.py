"""What a bucket's client needs from an Airflow connection, here and in the pods.

The providers' hooks know where credentials come from (keys, roles, key files, workload identity) and how to
renew them. A connection's extra may also name an endpoint, say that the bucket is public or that the
requester pays, or name the KMS key that encrypts. Both clients, ours and the workload's, are obstore's, so
the same settings are written in two ways: as arguments, and as environment variables.
"""

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote as escape
from urllib.parse import urlsplit

from higgsdemo.campaign.values import http_url
from higgsdemo.run import Run
from higgsdemo.storage.named_connection import (
    AWS,
    GOOGLE,
    REDIS,
    UnfitConnection,
    find_connection,
    is_somebody,
)
from higgsdemo.wording import ExplainedError, quote

GCS_ENDPOINT = "gcs_api_endpoint"  # extra of a Google connection: the URL of a store that is not Google's
USER_PROJECT = "x-goog-user-project"
FROM_SERVICE_CONFIG = ("request_payer", "server_side_encryption", "sse_kms_key_id", "sse_bucket_key_enabled")
KEYS = ("access_key_id", "secret_access_key", "session_token")
OPEN = ("https", "root")  # their servers need no connection
CA_VARIABLE = "CA_CERTIFICATES"
LIVE_PORT = 6379
LARGEST_CA = 1 << 16  # bytes; a Job and its pods carry the text
SECRET_VARIABLES = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "LIVE_URL",
}


class StorageError(ExplainedError):
    """The store refused or could not be reached; the message names the URL, the connection and a remedy."""

    final = True


@dataclass(frozen=True)
class Access:
    """How to reach a bucket.

    :param settings: settings of obstore's client, secrets among them.
    :param provider: gives and renews the credentials, where the settings hold none.
    :param headers: HTTP headers of every request.
    """

    settings: dict[str, Any]
    provider: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PodStore:
    """A bucket as a pod reaches it.

    :param endpoint: the store's address as pods see it, where it differs from the connection's.
    :param identity: cloud identity of the pods, which needs no keys in its own cloud's store.
    """

    url: str
    connection: str
    endpoint: str | None = None
    identity: str | None = None


def scheme_of(url: str) -> str:
    """Return ``s3`` or ``gs``, or ``https`` or ``root`` for public servers; raise StorageError for others."""
    scheme = urlsplit(url).scheme
    if scheme not in ("s3", "gs", *OPEN):
        raise StorageError(f"{url} is not a bucket URL: s3://bucket[/prefix] or gs://bucket[/prefix]")
    return scheme


def access(url: str, connection: str) -> Access:
    """Return how to reach the bucket of ``url`` from here."""
    if scheme_of(url) in OPEN:
        return Access({})
    return _gcs_access(connection) if scheme_of(url) == "gs" else _s3_access(connection)


def pod_environment(source: PodStore, target: PodStore) -> dict[str, str]:
    """Return the variables with which a pod reads from ``source`` and writes to ``target``.

    They are the usual ones of the AWS and Google clients, secrets among them. Where both buckets are of one
    kind but reached in different ways, the variables begin with ``INPUT_`` and ``OUTPUT_``.
    """
    alike = scheme_of(source.url) == scheme_of(target.url) and replace(source, url=target.url) == target
    reading = _variables(source)
    writing = reading if alike else _variables(target)
    if reading == writing or scheme_of(source.url) != scheme_of(target.url):
        return reading | writing
    return {f"INPUT_{name}": value for name, value in reading.items()} | {
        f"OUTPUT_{name}": value for name, value in writing.items()
    }


def ca_environment(path: str | None) -> dict[str, str]:
    """Return the variable with the certificates of a PEM file, which pods trust besides those of their image.

    :raises StorageError: when it cannot be read, or is too large for pods.
    """
    if path is None:
        return {}
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_pem_x509_certificates

    named = f"storage.pod_ca names {path}"
    try:
        text = Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"{named}, which cannot be read: {error}") from error
    if len(text) > LARGEST_CA:
        raise StorageError(
            f"{named} of {len(text)} bytes; {LARGEST_CA} are allowed: pods know the public authorities "
            "already, so your own are enough"
        )
    begin, end = (f"-----{edge} CERTIFICATE-----" for edge in ("BEGIN", "END"))
    if begin not in text or re.sub(f"{begin}[A-Za-z0-9+/=\\s]*{end}", "", text).strip():
        raise StorageError(f"{named}, which holds something else than certificates: pods would get it, too")
    try:
        certificates = load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise StorageError(f"{named}, which has an invalid certificate: {error}") from error
    return {CA_VARIABLE: "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)}


def live_environment(run: Run) -> dict[str, str]:
    """Return the variables that name the Redis server for live copies, and the hash; none without a server.

    Airflow itself never talks to it: the connection's host is the one that pods see. LIVE_URL may hold a
    password, so they belong in the run's Secret.

    :raises StorageError: when the connection is not a Redis connection.
    """
    if run.live is None:
        return {}
    try:
        connection = find_connection(run.live, REDIS)
        if not connection.host:
            raise UnfitConnection("it has no host")
    except UnfitConnection as error:
        raise StorageError(
            f"the Airflow connection {run.live!r} (storage.live) cannot be used: {error}"
        ) from None
    extra = connection.extra_dejson
    scheme = "rediss" if extra.get("ssl") else "redis"
    user, password = escape(connection.login or "", safe=""), escape(connection.password or "", safe="")
    login = f"{user}:{password}@" if user or password else ""
    address = f"{connection.host}:{connection.port or LIVE_PORT}"
    return {
        "LIVE_URL": f"{scheme}://{login}{address}/{extra.get('db') or 0}",
        "LIVE_KEY": f"{run.campaign}/{run.name}",
    }


def holds_secrets(environment: dict[str, str]) -> bool:
    """Return whether any of the variables is a secret."""
    return any(
        name.removeprefix("INPUT_").removeprefix("OUTPUT_") in SECRET_VARIABLES for name in environment
    )


def _variables(store: PodStore) -> dict[str, str]:
    scheme = scheme_of(store.url)
    if scheme in OPEN:
        return {}
    keyless = store.identity is not None and store.identity.startswith("arn:") == (scheme == "s3")
    try:
        return _s3_variables(store, keyless) if scheme == "s3" else _gcs_variables(store, keyless)
    except UnfitConnection as error:
        raise StorageError(f"the Airflow connection {store.connection!r} cannot be used: {error}") from None


def _s3_variables(store: PodStore, keyless: bool) -> dict[str, str]:
    """Return the variables of Amazon's client; no key where the pods have an identity without one."""
    if not keyless and not is_somebody(find_connection(store.connection, AWS)):
        raise _no_key(store)
    settings, _ = _s3_settings(store.connection, keyless)
    if store.endpoint:
        settings["endpoint"] = store.endpoint
    texts = {name: "true" if value is True else str(value) for name, value in settings.items()}
    return {f"AWS_{'ENDPOINT_URL' if name == 'endpoint' else name.upper()}": texts[name] for name in texts}


def _s3_access(connection: str) -> Access:
    settings, session = _s3_settings(connection)
    if session is None:
        return Access(settings)
    from obstore.auth.boto3 import Boto3CredentialProvider

    # Never as settings: obstore would mix them with keys in the worker's environment.
    kept = {name: value for name, value in settings.items() if name not in KEYS}
    return Access(kept, Boto3CredentialProvider(session))


def _s3_settings(connection: str, keyless: bool = False) -> tuple[dict[str, Any], Any]:
    """Return obstore's settings, and the boto3 session with the keys in them; None where there are none."""
    from airflow.sdk.log import mask_secret
    from botocore import UNSIGNED

    hook = _aws_hook(connection)
    settings: dict[str, Any] = {"region": hook.region_name or "us-east-1"}
    if endpoint := hook.conn_config.get_service_endpoint_url("s3"):
        settings["endpoint"] = _endpoint(endpoint)
    service = hook.conn_config.get_service_config("s3")
    settings |= {name: service[name] for name in FROM_SERVICE_CONFIG if name in service}
    if getattr(hook.config, "signature_version", None) is UNSIGNED:
        return settings | {"skip_signature": True}, None
    if keyless:
        return settings, None
    session = hook.get_session()
    found = session.get_credentials()
    if found is None:
        raise StorageError(f"the Airflow connection {connection!r} has no AWS credentials")
    credentials = found.get_frozen_credentials()
    if re.search("[^!-~]", "".join(filter(None, credentials))):
        raise UnfitConnection("one of its keys has a character that no key has, perhaps a line end")
    for secret in filter(None, (credentials.secret_key, credentials.token)):
        mask_secret(secret)
    settings |= {"access_key_id": credentials.access_key, "secret_access_key": credentials.secret_key}
    return settings | ({"session_token": credentials.token} if credentials.token else {}), session


def _gcs_access(connection: str) -> Access:
    from obstore.auth.google import GoogleCredentialProvider

    hook = _google_hook(connection)
    settings = {"base_url": _endpoint(hook.extras[GCS_ENDPOINT])} if hook.extras.get(GCS_ENDPOINT) else {}
    if hook.extras.get("is_anonymous"):
        return Access(settings | {"skip_signature": True})
    try:
        credentials = hook.get_credentials()
    except KeyError as error:
        raise UnfitConnection(f"its key has no {error}") from None
    payer = credentials.quota_project_id
    return Access(
        settings, GoogleCredentialProvider(credentials=credentials), {USER_PROJECT: payer} if payer else {}
    )


def _gcs_variables(store: PodStore, keyless: bool) -> dict[str, str]:
    """Return the variables of Google's client; no key where the pods have an identity without one."""
    extra = _google_hook(store.connection).extras
    endpoint = store.endpoint or extra.get(GCS_ENDPOINT)
    variables = {"GOOGLE_BASE_URL": endpoint} if endpoint else {}
    if payer := extra.get("quota_project_id"):
        variables["GOOGLE_USER_PROJECT"] = payer
    if extra.get("is_anonymous"):
        return variables | {"GOOGLE_SKIP_SIGNATURE": "true"}
    if keyless:
        return variables
    return variables | {"GOOGLE_SERVICE_ACCOUNT_KEY": _key_of(extra, store)}


def _key_of(extra: dict[str, Any], store: PodStore) -> str:
    key = extra.get("keyfile_dict")
    if key:
        return key if isinstance(key, str) else json.dumps(key)
    if path := extra.get("key_path"):
        try:
            return Path(path).read_text()
        except OSError as error:
            raise StorageError(
                f"the Airflow connection {store.connection!r} names the key file {path}, which cannot be "
                f"read: {error.strerror}"
            ) from error
    raise _no_key(store)


def _no_key(store: PodStore) -> StorageError:
    return StorageError(
        f"the Airflow connection {store.connection!r} has no key that pods could use {store.url} with: give "
        "it one, or the cluster a pod_identity"
    )


def _endpoint(said: Any) -> str:
    try:
        return http_url(said)
    except ValueError:
        raise UnfitConnection(
            f"its endpoint is {quote(said)}; it must be a URL such as https://host:9000"
        ) from None


def _aws_hook(connection: str) -> Any:
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    find_connection(connection, AWS)
    return AwsBaseHook(aws_conn_id=connection, client_type="s3")


def _google_hook(connection: str) -> Any:
    from airflow.providers.google.common.hooks.base_google import GoogleBaseHook

    find_connection(connection, GOOGLE)
    return GoogleBaseHook(gcp_conn_id=connection)

"""One object store for S3 and GCS, opened with the credentials of an Airflow connection.

The providers' hooks know where credentials come from (keys, roles, workload identity, key files) and
refresh them; obstore moves the bytes. So every task lists, reads and writes alike, whichever cloud the
bucket lies in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Backend

PAGE = 1000  # keys a request: the most that S3 and GCS return at once
CONCURRENT_READS = 32


class StorageError(RuntimeError):
    """The store refused or could not be reached; the message names the URL, the connection and a remedy."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of a listing: its key relative to the store's URL, and its size in bytes."""

    key: str
    size: int


class ObjectStore:
    """The objects below one ``s3://`` or ``gs://`` URL; keys are relative to that URL."""

    def __init__(self, url: str, connection: str) -> None:
        self.url = url.rstrip("/")
        self.connection = connection
        with self._explained("open"):
            self._backend = _backend(self.url, connection)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield what lies below ``prefix``, page by page, in the order of the keys."""
        with self._explained("list", prefix):
            for page in obstore.list(self._backend, prefix or None, chunk_size=PAGE):
                for meta in page:
                    yield StoredObject(meta["path"], meta["size"])

    def folder(self) -> tuple[StoredObject, ...]:
        """Return what lies directly below the URL, folders and their content left out."""
        with self._explained("list"):
            found = obstore.list_with_delimiter(self._backend)
            return tuple(StoredObject(meta["path"], meta["size"]) for meta in found["objects"])

    def read(self, key: str) -> bytes:
        """Return one object; StorageError when there is none."""
        with self._explained("read", key):
            return bytes(obstore.get(self._backend, key).bytes())

    def read_all(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield ``(key, content)`` of many objects, in the order of ``keys``, several requests at a time."""
        pending = iter(keys)
        with ThreadPoolExecutor(CONCURRENT_READS) as pool:
            while batch := [key for _, key in zip(range(PAGE), pending, strict=False)]:
                yield from zip(batch, pool.map(self.read, batch), strict=True)

    def exists(self, key: str) -> bool:
        """Whether there is an object of that key."""
        try:
            with self._explained("look up", key):
                obstore.head(self._backend, key)
        except StorageError as error:
            if isinstance(error.__cause__, NotFoundError | FileNotFoundError):
                return False
            raise
        return True

    def write(self, key: str, content: bytes) -> str:
        """Write one object with a single PUT and return its URL."""
        with self._explained("write", key):
            obstore.put(self._backend, key, content)
        return f"{self.url}/{key}"

    @contextmanager
    def _explained(self, verb: str, key: str = "") -> Iterator[None]:
        target = f"{self.url}/{key}".rstrip("/")
        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise StorageError(
                f"cannot {verb} {target}: access denied; check the Airflow connection {self.connection!r}"
            ) from error
        except (NotFoundError, FileNotFoundError) as error:
            raise StorageError(f"cannot {verb} {target}: there is no such bucket or object") from error
        except _connection_errors() as error:
            raise StorageError(
                f"cannot {verb} {target}: the Airflow connection {self.connection!r} cannot be used: "
                f"{_first_line(error)}"
            ) from error
        except BaseError as error:
            if "NoSuchBucket" in str(error):  # a listing's 404 has no exception of its own
                raise StorageError(f"cannot {verb} {target}: there is no such bucket") from error
            raise StorageError(
                f"cannot {verb} {target} with the Airflow connection {self.connection!r}: "
                f"{_first_line(error)}"
            ) from error


def pod_environment(url: str, connection: str, endpoint: str | None = None) -> dict[str, str]:
    """Return the variables with which a pod reaches the bucket of ``url``, for a Kubernetes Secret.

    :param endpoint: the store's address as pods see it, where it differs from the connection's.
    :returns: variables of the AWS or Google clients; secrets among them.
    """
    if _scheme(url) == "gs":
        return _gcs_environment(connection)
    settings = _s3_settings(connection)
    names = {
        "access_key_id": "AWS_ACCESS_KEY_ID",
        "secret_access_key": "AWS_SECRET_ACCESS_KEY",
        "session_token": "AWS_SESSION_TOKEN",
        "region": "AWS_REGION",
        "endpoint": "AWS_ENDPOINT_URL",
        "skip_signature": "AWS_SKIP_SIGNATURE",
    }
    if endpoint:
        settings["endpoint"] = endpoint
    return {names[field]: str(value).lower() if value is True else value for field, value in settings.items()}


def _connection_errors() -> tuple[type[Exception], ...]:
    """Return what the hooks raise when a connection is not there, or gives no credentials."""
    from airflow.sdk.exceptions import AirflowException
    from botocore.exceptions import BotoCoreError
    from google.auth.exceptions import GoogleAuthError

    return AirflowException, BotoCoreError, GoogleAuthError


def _backend(url: str, connection: str) -> Backend:
    from obstore.store import GCSStore, S3Store

    if _scheme(url) == "gs":
        from airflow.providers.google.cloud.hooks.gcs import GCSHook
        from obstore.auth.google import GoogleCredentialProvider

        credentials = GCSHook(gcp_conn_id=connection).get_credentials()
        return GCSStore.from_url(url, credential_provider=GoogleCredentialProvider(credentials=credentials))
    settings = _s3_settings(connection)
    insecure = str(settings.get("endpoint", "")).startswith("http://")
    return S3Store.from_url(url, client_options={"allow_http": insecure}, **settings)


def _s3_settings(connection: str) -> dict[str, Any]:
    """Return obstore's S3 settings for an Airflow connection of type ``aws``."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
    from botocore import UNSIGNED

    hook: Any = AwsBaseHook(aws_conn_id=connection, client_type="s3")
    settings: dict[str, Any] = {"region": hook.region_name or "us-east-1"}
    if endpoint := hook.conn_config.get_service_endpoint_url("s3"):
        settings["endpoint"] = endpoint
    if getattr(hook.config, "signature_version", None) is UNSIGNED:
        return settings | {"skip_signature": True}
    session_credentials = hook.get_session().get_credentials()
    if session_credentials is None:
        raise StorageError(f"the Airflow connection {connection!r} has no AWS credentials")
    credentials = hook.get_credentials()  # masks the secrets in task logs
    settings |= {"access_key_id": credentials.access_key, "secret_access_key": credentials.secret_key}
    return settings | ({"session_token": credentials.token} if credentials.token else {})


def _gcs_environment(connection: str) -> dict[str, str]:
    from airflow.providers.google.common.hooks.base_google import GoogleBaseHook

    extra = GoogleBaseHook(gcp_conn_id=connection).extras
    keyfile = extra.get("keyfile_dict")
    if not keyfile:
        return {}
    text = keyfile if isinstance(keyfile, str) else json.dumps(keyfile)
    return {"GOOGLE_SERVICE_ACCOUNT_KEY": text}


def _scheme(url: str) -> str:
    scheme = urlsplit(url).scheme
    if scheme not in ("s3", "gs"):
        raise StorageError(f"{url} is no bucket URL: s3://bucket[/prefix] or gs://bucket[/prefix]")
    return scheme


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__

"""One object store for S3, GCS and web servers, opened with the credentials of an Airflow connection.

The connection says how to reach the bucket and obstore moves the bytes, so every task lists, reads and writes
alike, whichever cloud has the bucket.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import (
    BaseError,
    InvalidPathError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from higgsdemo.storage.any_keys import list_any
from higgsdemo.storage.connections import Access, StorageError, access, scheme_of

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ClientConfig
    from obstore.store import ObjectStore as Backend

__all__ = ["DamagedError", "ObjectStore", "StorageError", "StoredObject"]

PAGE = 1000  # keys a request: the most that S3 and GCS return at once
CONCURRENT_READS = 64  # sockets: 8 followed runs have 512 of the 1,024 that a process may open
LARGEST_READ = 64 << 20  # bytes of an object that is read whole, unless its reader sets a limit
SMALLEST_READ = 4096  # bytes of an object that is read in parts
NO_OBJECT = ".no-object-has-this-name"
LONGEST_LINE = 1 << 16  # bytes: a key has 1024 at most, which become 6144 in JSON
CHUNK = 1 << 20  # bytes of an object that is copied to this machine


class DamagedError(StorageError):
    """An object that is not what a run writes under its key; the message names it and its first fault."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of a listing: its key relative to the store's URL, its size in bytes, and its version.

    :param etag: None where the store has none.
    :param modified: when it was last written; None where the store does not say.
    """

    key: str
    size: int
    etag: str | None = None
    modified: datetime | None = None


class PartsReader:
    """A file to read in parts, which tells errors of the store from errors in the file."""

    def __init__(self, file: Any, explain_errors: Callable[[], AbstractContextManager[None]]) -> None:
        self._file = file
        self._explain_errors = explain_errors

    def seek(self, position: int) -> int:
        """Go to a position, in bytes from the beginning."""
        with self._explain_errors():
            return int(self._file.seek(position))

    def read(self, size: int) -> bytes:
        """Return the next so many bytes; raise StorageError when they cannot be read."""
        with self._explain_errors():
            return bytes(self._file.read(size))


class ObjectStore:
    """The objects below one ``s3://``, ``gs://`` or ``https://`` URL; keys are relative to that URL."""

    def __init__(self, url: str, connection: str, reached: Access | None = None) -> None:
        """Open it, by `reached` where it is known how the connection does that."""
        self.url = url.rstrip("/")
        self.connection = connection
        with self._explain_errors("open"):
            self._reached = reached or access(self.url, connection)
            self._backend = _backend(self.url, self._reached)

    def at(self, url: str) -> ObjectStore:
        """Return the objects below another URL, without resolving the connection again."""
        alike = scheme_of(url) == scheme_of(self.url)
        return ObjectStore(url, self.connection, self._reached if alike else None)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield what lies below ``prefix``, page by page, in the order of the keys."""
        last = ""
        with self._explain_errors("list", prefix):
            try:
                for page in obstore.list(self._backend, prefix or None, chunk_size=PAGE):
                    for meta in page:
                        if last.startswith(meta["path"]):  # what comes later is longer, but for a slash
                            raise InvalidPathError
                        last = meta["path"]
                        yield _stored(meta)
            except InvalidPathError:
                yield from self._list_any(prefix, last)
                return
        if not last and self.exists(NO_OBJECT):  # a proxy's web page reads like an empty listing
            raise StorageError(self._no_store("list", f"{self.url}/{prefix}".rstrip("/")), final=False)

    def _list_any(self, prefix: str, last: str) -> Iterator[StoredObject]:
        """Yield what follows the key ``last`` below ``prefix``, with keys that obstore cannot name."""
        folder = f"{self.url}/".split("/", 3)[3]
        below = f"{self.url}/{prefix}".rstrip("/")
        for key, size, etag, modified in list_any(below, self.connection, f"{folder}{last}"):
            yield StoredObject(key.removeprefix(folder), size, etag, modified)

    def folder(self) -> tuple[StoredObject, ...]:
        """Return what lies directly below the URL, without folders and their content."""
        with self._explain_errors("list"):
            found = obstore.list_with_delimiter(self._backend)
            return tuple(map(_stored, found["objects"]))

    def read(self, key: str, limit: int = LARGEST_READ) -> bytes:
        """Return one object; raise StorageError when there is none, or it has more than ``limit`` bytes.

        The store sends the size before the content, of which then nothing is read.
        """
        with self._explain_errors("read", key):
            found = obstore.get(self._backend, key)
            if (size := found.meta["size"]) <= limit:
                return bytes(found.bytes())
        raise StorageError(f"cannot read {self.url}/{key}: it has {size} bytes, {limit} at most are read")

    def look_up(self, key: str) -> StoredObject | None:
        """Return one object as a listing would have it; None when there is none."""
        try:
            with self._explain_errors("look up", key):
                meta = obstore.head(self._backend, key)
        except StorageError as error:
            if isinstance(error.__cause__, NotFoundError | FileNotFoundError):
                return None
            raise
        return replace(_stored(meta), key=key)

    @contextmanager
    def open(self, stored: StoredObject) -> Iterator[PartsReader]:
        """Open an object to read parts of it, each by a request of its own."""
        explain_errors = partial(self._explain_errors, "read", stored.key)
        with explain_errors():
            opened = obstore.open_reader(
                self._backend, stored.key, buffer_size=SMALLEST_READ, size=stored.size
            )
        yield PartsReader(opened, explain_errors)

    def lines(self, key: str) -> Iterator[bytes]:
        """Yield the lines of one object, without their ends; raise StorageError as `read` does.

        It is copied to this machine first: a store does not wait for a slow reader.
        """
        with TemporaryFile() as copy:
            with self._explain_errors("read", key):
                for chunk in obstore.get(self._backend, key).stream(min_chunk_size=CHUNK):
                    copy.write(chunk)
            copy.seek(0)
            while line := copy.readline(LONGEST_LINE):
                if len(line) == LONGEST_LINE:
                    raise DamagedError(f"cannot read {self.url}/{key}: it has a line of {LONGEST_LINE} bytes")
                yield line.removesuffix(b"\n")

    def read_all(
        self,
        keys: Iterable[str],
        limit: int = LARGEST_READ,
        unreadable: Callable[[str, StorageError], None] | None = None,
    ) -> Iterator[tuple[str, bytes]]:
        """Yield ``(key, content)`` of many objects, in the order of ``keys``, by several requests at a time.

        At most twice `CONCURRENT_READS` of them are held, of at most ``limit`` bytes each.

        :param unreadable: takes each that cannot be read, which is then skipped.
        """
        ahead = deque[tuple[str, Future[bytes]]]()

        def first() -> Iterator[tuple[str, bytes]]:
            key, content = ahead.popleft()
            try:
                yield key, content.result()
            except StorageError as error:
                if unreadable is None:
                    raise
                unreadable(key, error)

        with ThreadPoolExecutor(CONCURRENT_READS) as pool:
            for key in keys:
                ahead.append((key, pool.submit(self.read, key, limit)))
                if len(ahead) == 2 * CONCURRENT_READS:
                    yield from first()
            while ahead:
                yield from first()

    def exists(self, key: str) -> bool:
        return self.look_up(key) is not None

    def write(self, key: str, content: bytes) -> str:
        """Write one object with a single PUT and return its URL."""
        with self._explain_errors("write", key):
            obstore.put(self._backend, key, content)
        return f"{self.url}/{key}"

    def upload(self, key: str, file: Path) -> str:
        """Write a file of any size as one object, completely or not at all, and return its URL."""
        with self._explain_errors("write", key):
            obstore.put(self._backend, key, file)
        return f"{self.url}/{key}"

    def remove(self, keys: Sequence[str]) -> None:
        with self._explain_errors("delete objects in"):
            obstore.delete(self._backend, keys)

    @contextmanager
    def _explain_errors(self, verb: str, key: str = "") -> Iterator[None]:
        target = f"{self.url}/{key}".rstrip("/")
        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise StorageError(
                f"cannot {verb} {target}: access denied"
                + (f"; check the Airflow connection {self.connection!r}" if self.connection else ""),
                final=isinstance(error, PermissionDeniedError),  # an expired token is renewed
            ) from error
        except (NotFoundError, FileNotFoundError) as error:
            raise StorageError(f"cannot {verb} {target}: there is no such bucket or object") from error
        except _connection_errors() as error:
            raise StorageError(
                f"cannot {verb} {target}: the Airflow connection {self.connection!r} cannot be used: "
                f"{_first_line(error)}",
                final=isinstance(error, _connection_errors()[0]),  # others could not get a token this time
            ) from error
        except BaseError as error:
            if "invalid list response" in str(error):
                raise StorageError(self._no_store(verb, target), final=False) from error
            if "NoSuchBucket" in str(error):  # a listing's 404 has no exception of its own
                raise StorageError(f"cannot {verb} {target}: there is no such bucket") from error
            raise StorageError(
                f"cannot {verb} {target}"
                + (f" with the Airflow connection {self.connection!r}" if self.connection else "")
                + f": {_first_line(error)}",
                final=False,
            ) from error

    def _no_store(self, verb: str, target: str) -> str:
        asked = (
            f"the endpoint of the Airflow connection {self.connection!r}" if self.connection else "the URL"
        )
        return (
            f"cannot {verb} {target}: what answers there is not an object store; is {asked} right, "
            "or does a proxy ask for a login?"
        )


def _stored(meta: ObjectMeta) -> StoredObject:
    return StoredObject(meta["path"], meta["size"], meta["e_tag"], meta["last_modified"])


def _connection_errors() -> tuple[type[Exception], ...]:
    """Return what the hooks raise when a connection is missing, or gives no credentials."""
    from airflow.sdk.exceptions import AirflowException
    from botocore.exceptions import BotoCoreError
    from google.auth.exceptions import GoogleAuthError

    return AirflowException, BotoCoreError, GoogleAuthError


def _backend(url: str, reached: Access) -> Backend:
    from obstore.store import GCSStore, HTTPStore, S3Store

    if scheme_of(url) == "https":
        return HTTPStore.from_url(url)
    endpoint = reached.settings.get("endpoint") or reached.settings.get("base_url") or ""
    options: ClientConfig = {
        "allow_http": endpoint.startswith("http://"),
        "default_headers": reached.headers,
    }
    store: Any = GCSStore if scheme_of(url) == "gs" else S3Store
    backend: Backend = store.from_url(
        url, client_options=options, credential_provider=reached.provider, **reached.settings
    )
    return backend


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    unknown = any("UnknownIssuer" in line for line in lines)  # in the dump after the first line
    return lines[0] + (": its certificate is not trusted (SSL_CERT_FILE names those that are)" * unknown)

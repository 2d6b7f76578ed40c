"""Files on an XRootD server, such as CERN's EOS, listed and read like those of a bucket.

fsspec reads it where the extra packages fsspec-xrootd and xrootd are installed
(``include/workload/requirements-xrootd.txt``). There are no ETags: a file's modification time stands for it,
here and in the pods.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from higgsdemo.storage.connections import StorageError
from higgsdemo.storage.object_store import PartsReader, StoredObject

NOT_FOUND = "[3011]"  # kXR_NotFound, for which its client has no exception


class XrootdStore:
    """The files below one ``root://`` URL; keys are relative to that URL."""

    def __init__(self, url: str) -> None:
        import fsspec

        self.url = url.rstrip("/")
        try:
            # A directory's cached content says nothing of a file that is asked for now.
            self._files, path = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        except ImportError:
            raise StorageError(
                f"cannot open {url}: Airflow needs the Python packages fsspec-xrootd and xrootd for it: "
                "pip install -r include/workload/requirements-xrootd.txt"
            ) from None
        self._path = path.rstrip("/")

    def list(self) -> Iterator[StoredObject]:
        """Yield all files, in the order of the keys."""
        with self._explain_errors("list"):
            found: dict[str, dict[str, Any]] = self._files.find(self._path, detail=True)
        for path, information in sorted(found.items()):
            yield _stored(path.removeprefix(f"{self._path}/"), information)

    def look_up(self, key: str) -> StoredObject | None:
        """Return one file as a listing would have it; None when there is none."""
        try:
            return _stored(key, self._files.info(f"{self._path}/{key}"))
        except FileNotFoundError:
            return None
        except OSError as error:
            if NOT_FOUND in str(error):
                return None
            raise StorageError(f"cannot look up {self.url}/{key}: {error}", final=False) from error

    def read(self, key: str) -> bytes:
        with self._explain_errors("read", key):
            return bytes(self._files.cat_file(f"{self._path}/{key}", start=None, end=None))

    @contextmanager
    def open(self, stored: StoredObject) -> Iterator[PartsReader]:
        explain_errors = partial(self._explain_errors, "read", stored.key)
        with explain_errors():
            opened = self._files.open(f"{self._path}/{stored.key}", cache_type="none")
        with opened:
            yield PartsReader(opened, explain_errors)

    @contextmanager
    def _explain_errors(self, verb: str, key: str = "") -> Iterator[None]:
        try:
            yield
        except OSError as error:
            gone = isinstance(error, FileNotFoundError)
            raise StorageError(f"cannot {verb} {self.url}/{key}: {error}", final=gone) from error


def _stored(key: str, information: dict[str, Any]) -> StoredObject:
    changed = information.get("mtime")
    if changed is None:
        return StoredObject(key, information["size"])
    return StoredObject(key, information["size"], str(changed), datetime.fromtimestamp(changed, UTC))

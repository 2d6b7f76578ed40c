"""An object where it lies, read whole or by ranges, and all from one version of it.

Every answer of a store names the object's version: its size and, nearly everywhere, an ETag. Ranges of two
versions would add up to a file that never existed, so each answer is compared with the listing, or where
that could not say, with the first answer.
"""

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import BaseError, NotSupportedError

from workload.errors import BadInput, Misconfigured, TryAgain
from workload.manifest import Shard
from workload.storage import XROOTD, locate, reason
from workload.throttle import CHUNK, Throttle

if TYPE_CHECKING:
    from obstore import GetResult

XROOTD_NOT_FOUND = "[3011]"  # kXR_NotFound, for which its client has no exception
XROOTD_PATIENCE = {
    "XRD_CONNECTIONWINDOW": "10",
    "XRD_CONNECTIONRETRY": "3",
    "XRD_STREAMERRORWINDOW": "60",
    "XRD_REQUESTTIMEOUT": "60",
}
"""Seconds and attempts after which XRootD's client gives up, unless the environment sets them.

By default it tries for ten minutes to connect, and half an hour after an error; Kubernetes retries, too.
"""


def open_remote(shard: Shard, throttle: Throttle | None = None) -> "Remote":
    """Return the object of a shard, unread; raise `BadInput` for a URL that names none."""
    try:
        if shard.url.startswith(f"{XROOTD}://"):
            return XrootdObject(shard, throttle)
        return StoredObject(shard, throttle)
    except ValueError as error:
        raise BadInput(str(error)) from error


class Remote(ABC):
    """An object, all answers from one version of it; `received` counts its bytes that have come so far.

    Its methods raise `BadInput` when the object does not exist or is not the one that was listed, `TryAgain`
    when storage or network fail, or an archive, which never changes a file, sends something else.
    """

    def __init__(self, shard: Shard, throttle: Throttle | None) -> None:
        self.url = shard.url
        self.received = 0
        self._size, self._etag = shard.size, shard.etag
        self._is_archived = shard.checksum is not None
        self._throttle = throttle
        self._counting = threading.Lock()

    @abstractmethod
    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to before `stop`, or to the object's end."""

    @abstractmethod
    def content(self) -> tuple[int, Iterator[bytes]]:
        """Return the object's size and an iterator over its bytes, which may raise as well."""

    def _check(self, size: int, etag: str | None) -> None:
        """Compare an answer with the version; raise `BadInput` when it is of another one."""
        if self._size is not None and size != self._size:
            if self._is_archived:
                raise TryAgain(f"{self.url}: {size} bytes have come, and its record says {self._size}")
            raise BadInput(self._changed(f"{self._size} bytes", f"{size} bytes"))
        if self._etag is not None and etag is not None and _bare(etag) != _bare(self._etag):
            raise BadInput(self._changed(f"ETag {_bare(self._etag)}", f"ETag {_bare(etag)}"))
        self._size, self._etag = size, self._etag or etag

    def _inside(self, start: int) -> None:
        """Refuse a range that begins behind the end: only a damaged file sends its reader there."""
        if self._size is not None and start >= self._size:
            raise BadInput(f"{self.url}: damaged: it points to byte {start}, and has {self._size}")

    def _changed(self, then: str, now: str) -> str:
        return (
            f"{self.url} has changed since it was listed ({then} then, {now} now): list it again by a new run"
        )

    def _count(self, content: bytes) -> bytes:
        with self._counting:
            self.received += len(content)
        if self._throttle is not None:
            self._throttle.take(len(content))
        return content

    def _count_chunks(self, chunks: Iterable[Any]) -> Iterator[bytes]:
        with self._explain_errors():
            for chunk in chunks:
                yield self._count(bytes(chunk))

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise BadInput(f"{self.url}: no such object") from error
        except NotSupportedError as error:
            raise BadInput(f"{self.url}: its server sends whole files alone: stage it in") from error
        except (BaseError, OSError) as error:
            if XROOTD_NOT_FOUND in str(error):
                raise BadInput(f"{self.url}: no such object") from error
            raise TryAgain(f"cannot read {self.url}: {reason(error)}") from error


class StoredObject(Remote):
    """An object of S3, GCS, a web server or the file system."""

    def __init__(self, shard: Shard, throttle: Throttle | None) -> None:
        super().__init__(shard, throttle)
        self._store, self._key = locate(shard.url, "INPUT")

    def read(self, start: int, stop: int) -> bytes:
        self._inside(start)
        with self._explain_errors():
            answer = obstore.get(self._store, self._key, options={"range": (start, stop)})
            self._check_answer(answer)
            return self._count(bytes(answer.bytes()))

    def content(self) -> tuple[int, Iterator[bytes]]:
        with self._explain_errors():
            answer = obstore.get(self._store, self._key)
            self._check_answer(answer)
        return answer.meta["size"], self._count_chunks(answer.stream(min_chunk_size=CHUNK))

    def _check_answer(self, answer: "GetResult") -> None:
        """Check the version, and tell a web page, of an error or a login, from a file."""
        kind = str(answer.attributes.get("Content-Type", ""))
        if self.url.startswith("http") and "html" in kind and not self.url.endswith(("html", "htm")):
            size = answer.meta["size"]
            raise TryAgain(f"{self.url}: its server has sent a web page of {size} bytes in its place")
        self._check(answer.meta["size"], answer.meta["e_tag"])


class XrootdObject(Remote):
    """An object of an XRootD server, such as CERN's EOS. Its modification time stands for an ETag."""

    def __init__(self, shard: Shard, throttle: Throttle | None) -> None:
        super().__init__(shard, throttle)
        self._files, self._path = _xrootd(shard.url)
        self._checked = False

    def read(self, start: int, stop: int) -> bytes:
        with self._explain_errors():
            self._look_once()
            self._inside(start)
            return self._count(bytes(self._files.cat_file(self._path, start=start, end=stop)))

    def content(self) -> tuple[int, Iterator[bytes]]:
        with self._explain_errors():
            size = self._look_once()
        starts = range(0, size, CHUNK)
        return size, self._count_chunks(
            self._files.cat_file(self._path, start=start, end=min(start + CHUNK, size)) for start in starts
        )

    def _look_once(self) -> int:
        """Check the version once, and return the size."""
        if not self._checked or self._size is None:
            found = self._files.info(self._path)
            self._check(found["size"], str(found["mtime"]) if "mtime" in found else None)
            self._checked = True
        return self._size or 0


def _xrootd(url: str) -> tuple[Any, str]:
    import fsspec

    for name, value in XROOTD_PATIENCE.items():
        os.environ.setdefault(name, value)
    server, _, path = url.removeprefix(f"{XROOTD}://").partition("/")
    try:
        files, _ = fsspec.core.url_to_fs(f"{XROOTD}://{server}//")  # it would interpret more of the path
    except ImportError as error:
        raise Misconfigured(
            f"{url} needs the Python packages fsspec-xrootd and xrootd, which this image does not have"
        ) from error
    return files, path


def _bare(etag: str) -> str:
    """Return an ETag without quotes and weakness mark, which listings and answers write differently."""
    return etag.removeprefix("W/").strip('"')

"""Objects by URL: `s3://`, `gs://`, `https://` and `file://` through one library.

Credentials and endpoints come from the variables that each cloud's own tools use (`AWS_*`, `GOOGLE_*`), or
from the node's identity. Where shards and results lie in two stores of one kind, the variables begin with
`INPUT_` and `OUTPUT_`. Plain HTTP is used only where an endpoint says so.
"""

import os
import re
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from workload.errors import BadInput, TryAgain

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

WRITABLE_SCHEMES = ("s3", "gs", "file")
SCHEMES = (*WRITABLE_SCHEMES, "https", "http")
XROOTD = "root"  # `workload.remote` reads it

Role = Literal["INPUT", "OUTPUT"]  # what a store is to a pod: where its shards lie, or where its results go

_UNREADABLE = re.compile(r"(^|/)\.{0,2}(/|$)|[\x00-\x1f\x7f]")  # the library cannot ask for such a key
_PART, _MOST_PARTS = 8 << 20, 9_000  # bytes; a store takes 10,000 parts at most
_PAYER = "GOOGLE_USER_PROJECT"  # who pays for requests; the client itself reads no variable for it
_RETRY: "RetryConfig" = {"max_retries": 8, "retry_timeout": timedelta(seconds=60)}
# No limit on a whole request, since a shard may take minutes; a stalled connection ends after a minute.
_CLIENT: "ClientConfig" = {
    "allow_http": True,
    "connect_timeout": "10s",
    "read_timeout": "60s",
    "timeout": "1day",
}


def split(url: str, schemes: tuple[str, ...] = SCHEMES) -> tuple[str, str, str]:
    """Split a URL into scheme, bucket or host (empty for `file`), and key.

    :raises ValueError: for a scheme that is not allowed, and for a key that no store can have.
    """
    scheme, separator, rest = url.partition("://")
    root, _, key = rest.partition("/")
    if scheme not in schemes or not separator:
        raise ValueError(f"{url} is not a URL with {', '.join(f'{allowed}://' for allowed in schemes)}")
    if not root and scheme != "file":
        raise ValueError(f"{url} has no {'host' if scheme.startswith('http') else 'bucket'}")
    if _UNREADABLE.search(key):
        raise ValueError(f"{url} names no object: in its path is an empty part, dots or a control character")
    return scheme, root, key


def locate(url: str, role: Role = "OUTPUT") -> tuple[ObjectStore, str]:
    """Return the store that a URL points into, and the key in it; raise ValueError as `split` does."""
    scheme, root, key = split(url)
    return _store(scheme, root, role), key


@cache
def _store(scheme: str, root: str, role: Role) -> ObjectStore:
    if scheme == "file":
        return from_url("file:///")
    prefix = f"{role}_"
    config: Any = {
        name.removeprefix(prefix): value
        for name, value in os.environ.items()
        if name.startswith((f"{prefix}AWS_", f"{prefix}GOOGLE_"))
    }
    options = _CLIENT
    if payer := config.pop(_PAYER, os.environ.get(_PAYER)):
        options = {**_CLIENT, "default_headers": {"x-goog-user-project": payer}}
    return from_url(f"{scheme}://{root}", config=config or None, client_options=options, retry_config=_RETRY)


def put(url: str, content: bytes) -> None:
    """Write an object with a single PUT, so that a reader sees all of it or nothing.

    :raises TryAgain: when the store refuses or cannot be reached.
    """
    try:
        store, key = locate(url)
        obstore.put(store, key, content, use_multipart=False)
    except (BaseError, OSError) as error:
        raise TryAgain(f"cannot write {url}: {reason(error)}") from error


def upload(url: str, file: BinaryIO, size: int) -> None:
    """Write a file of this size, from its beginning and in parts; a reader sees all of it or nothing.

    :raises BadInput: when its name cannot be that of an object.
    :raises TryAgain: when the store refuses or cannot be reached.
    """
    try:
        store, key = locate(url)
        file.seek(0)
        obstore.put(store, key, file, chunk_size=max(_PART, size // _MOST_PARTS + 1))
    except ValueError as error:
        raise BadInput(str(error)) from error
    except (BaseError, OSError) as error:
        raise TryAgain(f"cannot write {url}: {reason(error)}") from error


def exists(url: str) -> bool:
    """Return whether there is an object at `url`; raise `TryAgain` when the store does not answer."""
    try:
        store, key = locate(url)
        obstore.head(store, key)
    except FileNotFoundError:
        return False
    except (BaseError, OSError) as error:
        raise TryAgain(f"cannot look up {url}: {reason(error)}") from error
    return True


def reason(error: Exception) -> str:
    """Return the first line of a storage error, without the client's state that it dumps after it."""
    text = str(error)
    line = text.split("\n", 1)[0].strip() or type(error).__name__
    return f"{line}: its certificate is not trusted" if "UnknownIssuer" in text else line

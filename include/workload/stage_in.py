"""Stage-in: copy a shard from object storage to the pod's own disk or memory.

Streaming, so that memory stays small for files of any size, and with a limit on the rate, because a few
thousand pods that start together can saturate the bucket's or the site's link for everybody else.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError

from workload.errors import BadInput, TryAgain
from workload.manifest import Shard
from workload.storage import locate, reason

if TYPE_CHECKING:
    from obstore import GetResult

CHUNK = 1 << 20
"""Bytes read at a time."""


class Throttle:
    """Token bucket that holds a stream to `rate` bytes per second on average.

    It fills at `rate` and holds a second's worth, though never less than a chunk, which is then the largest
    burst. `clock` and `sleep` are in seconds.
    """

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._capacity = max(rate, CHUNK)
        self._tokens = self._capacity
        self._clock = clock
        self._sleep = sleep
        self._filled = clock()

    def take(self, size: int) -> None:
        """Account for `size` bytes; sleeps until the bucket has made up for them."""
        now = self._clock()
        self._tokens = min(self._capacity, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        self._tokens -= size
        if self._tokens < 0:
            self._sleep(-self._tokens / self._rate)


def stage_in(shard: Shard, target: Path, throttle: Throttle | None = None) -> int:
    """Download a shard to `target` (which may be `/dev/null`); returns the number of bytes.

    Raises `BadInput` when there is no such object or its size is not the manifest's, `TryAgain` when
    storage, network or disk fail.
    """
    download = _request(shard)
    received = 0
    try:
        with target.open("wb") as file:
            for chunk in download.stream(min_chunk_size=CHUNK):
                received += file.write(chunk)
                if throttle is not None:
                    throttle.take(len(chunk))
    except (BaseError, OSError) as error:
        raise TryAgain(f"cannot stage in {shard.url}: {reason(error)}") from error
    if received != (size := download.meta["size"]):
        raise TryAgain(f"{shard.url}: connection ended after {received} of {size} bytes")
    return received


def _request(shard: Shard) -> "GetResult":
    """The response to the request for a shard, checked before any of its content is read."""
    try:
        store, key = locate(shard.url, "INPUT")
        response = obstore.get(store, key)
    except ValueError as error:
        raise BadInput(str(error)) from error
    except FileNotFoundError as error:
        raise BadInput(f"{shard.url}: no such object") from error
    except (BaseError, OSError) as error:
        raise TryAgain(f"cannot stage in {shard.url}: {reason(error)}") from error
    found = response.meta["size"]
    if shard.size is not None and found != shard.size:
        raise BadInput(f"{shard.url}: {found} bytes, but the manifest says {shard.size}")
    return response

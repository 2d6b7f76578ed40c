"""A limit on the download rate: thousands of pods that start together can saturate everybody's link."""

import threading
import time
from collections.abc import Callable

CHUNK = 1 << 20  # bytes read at a time at least, and so the smallest burst


class Throttle:
    """Token bucket that holds all downloads of a pod together to `rate` bytes per second on average.

    It fills at `rate` and holds a second's worth, at least a chunk: the largest burst. `clock` and `sleep`
    are in seconds.
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
        self._turn = threading.Lock()

    def take(self, size: int) -> None:
        """Account for `size` bytes; sleep until the bucket has made up for them."""
        with self._turn:
            now = self._clock()
            self._tokens = min(self._capacity, self._tokens + (now - self._filled) * self._rate)
            self._filled = now
            self._tokens -= size
            if self._tokens < 0:
                self._sleep(-self._tokens / self._rate)

"""Let uproot read a ROOT file where it lies, with several requests at a time.

uproot knows which baskets of which branches hold the wanted entries, and asks for all of them at once.
Neighbouring baskets become one request; the gaps, where unneeded branches lie, are not read.
"""

import queue
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from uproot.source.chunk import Chunk, Source
from uproot.source.coalesce import CoalesceConfig, coalesce_requests
from uproot.source.futures import TrivialFuture

from workload.remote import Remote

REQUESTS = 8
"""Requests at a time: a store answers each with 10 to 100 MB/s, but the first byte takes 50 to 200 ms."""

LARGEST_GAP = 4096
"""Largest gap in bytes between two baskets that is read along: less than a request costs.

A request costs some kB of headers and TLS records; with larger gaps, small baskets of branches that are not
needed would add up to more than is gained.
"""

_ONE_RANGE_A_REQUEST = CoalesceConfig(max_range_gap=LARGEST_GAP, max_request_ranges=1)


class ByteRanges(Source):  # type: ignore[misc]  # uproot has no types
    """The source of a file that is opened with `handler=ByteRanges` and the option `remote`."""

    def __init__(self, file_path: str, *, remote: Remote, **options: Any) -> None:
        super().__init__()
        self._file_path = file_path
        self._remote = remote
        self._requests = ThreadPoolExecutor(REQUESTS, thread_name_prefix="byte-ranges")
        self._closed = False

    def chunk(self, start: int, stop: int) -> Chunk:
        return Chunk(self, start, stop, TrivialFuture(self._remote.read(start, stop)))

    def chunks(self, ranges: list[tuple[int, int]], notifications: "queue.Queue[Chunk]") -> list[Chunk]:
        """Read many ranges, and put each on `notifications` once it has come."""
        chunks: list[Chunk] = coalesce_requests(
            ranges, self._submit, self, notifications, config=_ONE_RANGE_A_REQUEST
        )
        return chunks

    def _submit(self, ranges: list[tuple[int, int]]) -> "Future[list[bytes]]":
        return self._requests.submit(lambda: [self._remote.read(start, stop) for start, stop in ranges])

    @property
    def closed(self) -> bool:
        return self._closed

    def __enter__(self) -> "ByteRanges":
        return self

    def __exit__(self, *exception: object) -> None:
        self._closed = True
        self._requests.shutdown(wait=False, cancel_futures=True)

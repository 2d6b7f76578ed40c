"""The events of a pod's shards, one shard after another, staged in or streamed.

Either way the next is on its way while the present one is computed: the next file, or the next events.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING

from workload.errors import WorkloadError
from workload.manifest import Shard
from workload.prefetch import one_ahead
from workload.remote import Remote, open_remote
from workload.settings import TEST_MODE_DPATH, Settings
from workload.stage_in import stage_in
from workload.storage import exists
from workload.throttle import Throttle

if TYPE_CHECKING:
    from workload.events import Events

ANALYSIS_MEMORY = 512 << 20
"""Bytes that the analysis itself takes at most; a stage-in directory in memory must leave it that much."""


def inputs(shards: list[Shard], settings: Settings, wanted: Callable[[Shard], bool]) -> Iterator["Input"]:
    """Yield the `wanted` shards one after the other, fetching the next while the present one is used.

    A file is staged in ahead only where there is room for two. A shard's error is raised when its events are
    read, and affects no other shard.
    """
    if settings.stream:
        throttle = _throttle(settings)
        return one_ahead(Streamed(shard, settings, throttle) for shard in shards if wanted(shard))
    return staged(shards, settings, wanted)


def staged(shards: list[Shard], settings: Settings, wanted: Callable[[Shard], bool]) -> Iterator["Staged"]:
    """Yield the `wanted` shards as files."""
    throttle = _throttle(settings)
    files = (Staged(shard, settings, throttle) for shard in shards if wanted(shard))
    return one_ahead(files) if _room_for_two(shards, settings) else files


def unfinished(settings: Settings, report: Callable[[str], None]) -> Callable[[Shard], bool]:
    """Return the test whether a shard has no result yet, which reports those that have one."""

    def wanted(shard: Shard) -> bool:
        if not settings.skip_existing or not exists(settings.result_url(shard.name)):
            return True
        report(f"{shard.name}: has a result already")
        return False

    return wanted


def _throttle(settings: Settings) -> Throttle | None:
    return Throttle(settings.download_limit) if settings.download_limit else None


class Staged:
    """A shard that lies in the pod as the file `path`; in test mode it is thrown away and has no events.

    `failure` is why it does not lie there, `received` the number of its bytes, `seconds` what they took.
    """

    def __init__(self, shard: Shard, settings: Settings, throttle: Throttle | None) -> None:
        self.shard = shard
        self.received = 0
        self._discard, self._settings = settings.test_mode, settings
        self.path = Path(TEST_MODE_DPATH) if self._discard else settings.input_dir / shard.file_name
        self.failure: WorkloadError | None = None
        began = time.monotonic()
        try:
            self.received = stage_in(shard, self.path, throttle)
        except WorkloadError as error:
            self.failure = error
        self.seconds = time.monotonic() - began

    def __iter__(self) -> Iterator["Events"]:
        if self.failure is not None:
            raise self.failure
        if not self._discard:
            yield from _events(self.path, self.shard, self._settings)

    def close(self) -> None:
        if not self._discard:
            self.path.unlink(missing_ok=True)


class Streamed:
    """A shard whose needed branches are read where it lies, some events ahead of the analysis.

    `seconds` is the time that the analysis has waited.
    """

    def __init__(self, shard: Shard, settings: Settings, throttle: Throttle | None) -> None:
        self.shard = shard
        self.seconds = 0.0
        self._settings = settings
        self._throttle = throttle
        self._remote: Remote | None = None
        self._events = one_ahead(self._read())

    @property
    def received(self) -> int:
        return self._remote.received if self._remote is not None else 0

    def _read(self) -> Iterator["Events"]:
        self._remote = open_remote(self.shard, self._throttle)
        yield from _events(self._remote, self.shard, self._settings)

    def __iter__(self) -> Iterator["Events"]:
        while True:
            began = time.monotonic()
            events = next(self._events, None)
            self.seconds += time.monotonic() - began
            if events is None:
                return
            yield events

    def close(self) -> None:
        """Do nothing: there is nothing to remove."""


Input = Staged | Streamed
"""One shard's events, to be iterated once; that raises `WorkloadError` when they cannot be read."""


def _events(source: Path | Remote, shard: Shard, settings: Settings) -> Iterator["Events"]:
    from workload.certified import read_certified  # not in a sidecar, whose memory adds to the command's
    from workload.events import Wanted, read_events
    from workload.rules import RULES

    certified = read_certified(settings.certified) if settings.certified else None
    wanted = Wanted(RULES[settings.rules], certified, settings.triggers, numbers=settings.data)
    return read_events(source, shard.url, shard.entries, wanted)


def _room_for_two(shards: list[Shard], settings: Settings) -> bool:
    """Return whether the two largest shards and the analysis fit beside each other.

    A directory in memory is part of the pod's memory, so what lies there is taken from the analysis.
    """
    if settings.test_mode:
        return True
    sizes = sorted(shard.size for shard in shards if shard.size is not None)
    known = len(sizes) == len(shards)
    return known and sum(sizes[-2:]) + ANALYSIS_MEMORY <= disk_usage(settings.input_dir).free

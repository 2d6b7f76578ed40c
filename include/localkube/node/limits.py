"""Limits that no kernel enforces for us: container memory and volume sizes, checked every second."""

import asyncio
import logging
import os
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import suppress

import psutil

from localkube.node.pod import PodWorker
from localkube.node.pod_status import End
from localkube.node.volumes import used
from localkube.objects.object import containers_of, lookup, quantity

log = logging.getLogger(__name__)
_PERIOD = 1.0
Sessions = dict[int, list[psutil.Process]]


async def hold_limits(workers: Collection[PodWorker]) -> None:
    """Kill containers over their memory limit and evict pods over a volume's size, forever."""
    while True:
        await asyncio.sleep(_PERIOD)
        running = [worker for worker in workers if worker.processes]
        try:
            for worker, container, end in await asyncio.to_thread(_excess, running) if running else ():
                if end:
                    worker.stop(0, end)
                elif container in worker.processes:
                    worker.kill_for_memory(container)
        except Exception:
            log.exception("limits could not be looked at")


def _excess(workers: list[PodWorker]) -> list[tuple[PodWorker, str, End | None]]:
    """Return the containers that use too much memory, and the ends of pods that overfill a volume."""
    sessions: Sessions = defaultdict(list)
    for one in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError):
            sessions[os.getsid(one.pid)].append(one)
    greedy = [(worker, name, None) for worker in workers for name in _greedy(worker, sessions)]
    return greedy + [(worker, "", end) for worker in workers for end in _overfull(worker)]


def _greedy(worker: PodWorker, sessions: Sessions) -> Iterator[str]:
    for container in containers_of(worker.pod["spec"]):
        name, limit = container["name"], lookup(container, "resources.limits.memory")
        process = worker.processes.get(name)
        if limit and process and sum(map(_size, sessions[process.pid])) > quantity(limit):
            yield name


def _size(process: psutil.Process) -> int:
    with suppress(psutil.Error):  # ended meanwhile
        found = process.memory_full_info()
        return int(getattr(found, "pss", found.uss))  # a page that processes share counts in parts
    return 0


def _overfull(worker: PodWorker) -> Iterator[End]:
    for volume in worker.pod["spec"].get("volumes") or ():
        size, path = lookup(volume, "emptyDir.sizeLimit"), worker.runtime.volumes.get(volume["name"])
        if size and path and used(path) > quantity(size):
            text = f'Usage of EmptyDir volume "{volume["name"]}" exceeds the limit "{size}". '
            yield End("Evicted", text)

"""Limits that no kernel holds for us: memory of containers and size of volumes, looked at every second."""

import asyncio
import logging
import os
from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress

import psutil

from localkube.objects import containers_of, lookup, quantity
from localkube.pod import PodWorker
from localkube.pod_status import End
from localkube.volumes import used

log = logging.getLogger(__name__)
_PERIOD = 1.0


async def hold_limits(workers: Collection[PodWorker]) -> None:
    """Kill containers over their memory limit, evict pods over the size of a volume, for ever."""
    while True:
        await asyncio.sleep(_PERIOD)
        try:
            await _hold_memory(list(workers))
            for worker in list(workers):
                await _hold_volumes(worker)
        except Exception:
            log.exception("limits could not be looked at")


async def _hold_memory(workers: list[PodWorker]) -> None:
    limited = {
        process.pid: (worker, container["name"], quantity(limit))
        for worker in workers
        for container in containers_of(worker.pod["spec"])
        if (process := worker.processes.get(container["name"]))
        and (limit := lookup(container, "resources.limits.memory"))
    }
    limits = {session: limit for session, (_, _, limit) in limited.items()}
    for session in await asyncio.to_thread(_over, limits) if limits else ():
        worker, container, _ = limited[session]
        if container in worker.processes:
            worker.kill_for_memory(container)


def _over(limits: dict[int, float]) -> list[int]:
    """The sessions that use more bytes than their limit.

    The resident size is quickly had, but counts pages that processes share for each of them.
    """
    members: dict[int, list[psutil.Process]] = defaultdict(list)
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError):
            members[os.getsid(process.pid)].append(process)
    return [
        session
        for session, limit in limits.items()
        if _size(members[session], shared=True) > limit and _size(members[session], shared=False) > limit
    ]


def _size(processes: list[psutil.Process], shared: bool) -> int:
    total = 0
    for process in processes:
        with suppress(psutil.Error):  # ended meanwhile
            if shared:
                total += process.memory_info().rss
            else:
                found = process.memory_full_info()
                total += getattr(found, "pss", found.uss)  # a shared page counts in parts
    return total


async def _hold_volumes(worker: PodWorker) -> None:
    for volume in worker.pod["spec"].get("volumes") or ():
        size, path = lookup(volume, "emptyDir.sizeLimit"), worker.runtime.volumes.get(volume["name"])
        if size and path and await asyncio.to_thread(used, path) > quantity(size):
            text = f'Usage of EmptyDir volume "{volume["name"]}" exceeds the limit "{size}". '
            worker.stop(0, End("Evicted", text))

"""Limits that no kernel holds for us: memory of containers and size of volumes, looked at every second."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from localkube import memory
from localkube.objects import Obj, quantity
from localkube.pod import PodWorker
from localkube.pod_status import End
from localkube.volumes import used

log = logging.getLogger(__name__)
_PERIOD = 1.0


async def hold_limits(workers: Callable[[], Iterable[PodWorker]]) -> None:
    """Kill containers over their memory limit, evict pods over the size of a volume, for ever."""
    while True:
        await asyncio.sleep(_PERIOD)
        try:
            if memory.available():
                await _hold_memory(list(workers()))
            for worker in list(workers()):
                await _hold_volumes(worker)
        except Exception:
            log.exception("limits could not be looked at")


async def _hold_memory(workers: list[PodWorker]) -> None:
    limited = {
        process.pid: (worker, container["name"], limit)
        for worker in workers
        for container in [
            *(worker.pod["spec"].get("initContainers") or ()),
            *worker.pod["spec"]["containers"],
        ]
        if (process := worker.processes.get(container["name"])) and (limit := _limit(container))
    }
    resident = await asyncio.to_thread(memory.resident) if limited else {}
    for pid, (worker, container, limit) in limited.items():
        if (
            resident.get(pid, 0) > limit
            and memory.proportional(pid) > limit
            and container in worker.processes
        ):
            worker.kill_for_memory(container)


async def _hold_volumes(worker: PodWorker) -> None:
    for volume in worker.pod["spec"].get("volumes") or ():
        size, path = (
            (volume.get("emptyDir") or {}).get("sizeLimit"),
            worker.runtime.volumes.get(volume["name"]),
        )
        if size and path and await asyncio.to_thread(used, path) > quantity(size):
            worker.stop(
                0, End("Evicted", f'Usage of EmptyDir volume "{volume["name"]}" exceeds the limit "{size}". ')
            )


def _limit(container: Obj) -> float:
    return quantity(((container.get("resources") or {}).get("limits") or {}).get("memory") or 0)

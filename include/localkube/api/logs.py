"""The log of a container, whole, its end, or as it grows."""

import asyncio
from collections import deque
from pathlib import Path

from aiohttp import web

from localkube.api.requests import flag, number
from localkube.cluster import Cluster
from localkube.objects.errors import ApiError
from localkube.objects.object import Json, Obj, containers_of, lookup

_POLL = 0.1
_CHUNK = 1 << 16
_REFUSED = ("timestamps", "sinceSeconds", "sinceTime")


async def stream_log(request: web.Request, cluster: Cluster, pod: Obj) -> web.StreamResponse:
    """GET pods/NAME/log with container, follow, previous, tailLines and limitBytes; raises ApiError."""
    for parameter in _REFUSED:
        if request.query.get(parameter) not in (None, "", "false"):
            why = "lines are kept without their times"
            raise ApiError(501, f"localkube does not implement {parameter} for logs: {why}")
    container = _container(pod, request.query.get("container", ""))
    status = _status(pod, container)
    run = int(status.get("restartCount", 0)) - flag(request, "previous")
    waiting = lookup(status, "state.waiting.reason")
    if run < 0:
        raise ApiError(400, f'previous terminated container "{container}" in pod "{pod.name}" not found')
    if waiting and not lookup(status, "lastState.terminated"):
        raise ApiError(400, f'container "{container}" in pod "{pod.name}" is waiting to start: {waiting}')
    path = cluster.machine.pod_directory(pod) / container / f"{run}.log"
    lines, left = number(request, "tailLines"), number(request, "limitBytes")
    position = 0 if lines is None else await asyncio.to_thread(_tail, path, lines)
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    while True:
        ended = not flag(request, "follow") or cluster.closing or _over(cluster, pod, container, run)
        chunk = await asyncio.to_thread(_read, path, position, _CHUNK if left is None else min(left, _CHUNK))
        position += len(chunk)
        left = None if left is None else left - len(chunk)
        if chunk:
            await response.write(chunk)
        elif ended or left == 0:
            return response
        else:
            await asyncio.sleep(_POLL)


def _container(pod: Obj, name: str) -> str:
    names = [one["name"] for one in containers_of(pod["spec"])]
    main = [one["name"] for one in pod["spec"]["containers"]]
    if not name and len(main) > 1:
        choice = f"choose one of: [{' '.join(names)}]"
        raise ApiError(400, f"a container name must be specified for pod {pod.name}, {choice}")
    if name and name not in names:
        raise ApiError(400, f"container {name} is not valid for pod {pod.name}")
    return name or str(main[0])


def _status(pod: Obj, container: str) -> Json:
    known = {one["name"]: one for one in pod.container_statuses}
    return dict(known.get(container) or {"state": {"waiting": {"reason": "ContainerCreating"}}})


def _over(cluster: Cluster, pod: Obj, container: str, run: int) -> bool:
    current = cluster.store.current("pods", pod)
    status = _status(current or pod, container)
    ended = "terminated" in status["state"] or status.get("restartCount", 0) > run
    return current is None or current.finished or ended


def _read(path: Path, position: int, most: int) -> bytes:
    if not path.exists():  # not started, or simulated
        return b""
    with path.open("rb") as log:
        log.seek(position)
        return log.read(most)


def _tail(path: Path, lines: int) -> int:
    """Return where the last lines begin."""
    if not path.exists():
        return 0
    with path.open("rb") as log:
        last = deque((len(line) for line in log), maxlen=lines)
        return log.tell() - sum(last)

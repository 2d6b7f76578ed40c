"""The log of a container, whole, its end, or as it grows."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from localkube import errors
from localkube.cluster import Cluster
from localkube.objects import Obj, finished, lookup, name_of

_POLL = 0.1
_CHUNK = 1 << 16
_REFUSED = ("timestamps", "sinceSeconds", "sinceTime")


async def stream_log(request: web.Request, cluster: Cluster, namespace: str, name: str) -> web.StreamResponse:
    """GET pods/NAME/log with container, follow, previous, tailLines and limitBytes; raises ApiError."""
    query = request.query
    pod = cluster.store.record("pods", namespace, name).data
    for parameter in _REFUSED:
        if query.get(parameter) not in (None, "", "false"):
            raise errors.not_implemented(f"{parameter} for logs: lines are kept without their times")
    status = _status(pod, _container(pod, query.get("container", "")))
    run = int(status.get("restartCount", 0)) - (query.get("previous") == "true")
    waiting = lookup(status, "state.waiting")
    if run < 0:
        raise errors.bad_request(
            f'previous terminated container "{status["name"]}" in pod "{name}" not found'
        )
    if waiting and not lookup(status, "lastState.terminated"):
        raise errors.bad_request(
            f'container "{status["name"]}" in pod "{name}" is waiting to start: {waiting["reason"]}'
        )
    path = cluster.pod_directory(pod) / status["name"] / f"{run}.log"
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    left = int(query["limitBytes"]) if "limitBytes" in query else None
    position = await asyncio.to_thread(_tail, path, int(query["tailLines"])) if "tailLines" in query else 0
    follow = query.get("follow") == "true"
    while True:
        ended = not follow or cluster.closing or _over(cluster, pod, status["name"], run)
        chunk = await asyncio.to_thread(_read, path, position)
        if left is not None:
            chunk = chunk[:left]
            left -= len(chunk)
        position += len(chunk)
        if chunk:
            await response.write(chunk)
        if left == 0 or (not chunk and ended):
            return response
        if not chunk:
            await asyncio.sleep(_POLL)


def _container(pod: Obj, name: str) -> str:
    names = [one["name"] for kind in ("initContainers", "containers") for one in pod["spec"].get(kind) or ()]
    main = [one["name"] for one in pod["spec"]["containers"]]
    if not name and len(main) > 1:
        raise errors.bad_request(
            f"a container name must be specified for pod {name_of(pod)}, choose one of: [{' '.join(names)}]"
        )
    if name and name not in names:
        raise errors.bad_request(f"container {name} is not valid for pod {name_of(pod)}")
    return name or main[0]


def _status(pod: Obj, container: str) -> Obj:
    for kind in ("initContainerStatuses", "containerStatuses"):
        for one in lookup(pod, f"status.{kind}") or ():
            if one["name"] == container:
                return dict(one)
    return {"name": container, "state": {"waiting": {"reason": "ContainerCreating"}}}


def _over(cluster: Cluster, pod: Obj, container: str, run: int) -> bool:
    """Whether this run of the container has ended."""
    current = cluster.store.get("pods", pod["metadata"]["namespace"], name_of(pod))
    if current is None or current["metadata"]["uid"] != pod["metadata"]["uid"]:
        return True
    status = _status(current, container)
    return finished(current) or "terminated" in status["state"] or status.get("restartCount", 0) > run


def _read(path: Path, position: int) -> bytes:
    try:
        with path.open("rb") as log:
            log.seek(position)
            return log.read(_CHUNK)
    except FileNotFoundError:
        return b""


def _tail(path: Path, lines: int) -> int:
    """Where the last lines begin; a line end at the very end of the log begins no new line."""
    try:
        with path.open("rb") as log:
            position = size = log.seek(0, 2)
            while position > 0:
                end, position = position, max(position - _CHUNK, 0)
                log.seek(position)
                chunk = log.read(end - position)
                at = len(chunk) - (end == size and chunk.endswith(b"\n"))
                while lines > 0 and (at := chunk.rfind(b"\n", 0, at)) >= 0:
                    lines -= 1
                if lines <= 0:
                    return position + at + 1
            return 0
    except FileNotFoundError:
        return 0

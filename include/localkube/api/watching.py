"""Watches: the changes in a collection, line by line, until the client leaves."""

import math
import time
from collections.abc import Callable

from aiohttp import web

from localkube.api.requests import Target, View, flag, number, selection
from localkube.objects.errors import ApiError
from localkube.objects.object import Json, encode
from localkube.objects.selectors import Match
from localkube.objects.store import Event, Store

_LONGEST = 3600
_BOOKMARK, _BEFORE_END = 60.0, 2.0  # a bookmark comes every so many seconds, and before a watch ends


async def stream(
    request: web.Request, target: Target, store: Store, closing: Callable[[], bool]
) -> web.StreamResponse:
    """Answer a watch; before it begins raise ApiError 400, 410, or 500 for a wrong resourceVersion."""
    view, selected = View(request, target.resource), selection(request, target.resource)
    since, everything = request.query.get("resourceVersion", ""), flag(request, "sendInitialEvents")
    if since and not since.isdecimal():
        raise ApiError(500, f'resourceVersion: Invalid value: "{since}": must be a whole number')
    moment, bookmarks = time.monotonic(), flag(request, "allowWatchBookmarks")
    until = moment + (number(request, "timeoutSeconds") or _LONGEST)
    due = _next_bookmark(moment, until) if bookmarks else math.inf
    lines: list[bytes] = []
    if since in ("", "0") or everything:
        initial = store.objects(target.plural, target.namespace)
        lines = [_line("ADDED", view.one(one)) for one in initial if not selected or selected(one)]
        since = str(store.revision)
    if everything:
        lines.append(_bookmark(view, store.revision, {"k8s.io/initial-events-end": "true"}))
    history, seen = store.histories[target.plural], int(since)
    events = await history.after(seen, 0)
    seen = events[-1].new.revision if events else seen
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        told = ((_kind(event, target.namespace, selected), event.new) for event in events)
        lines += [_line(kind, view.one(obj)) for kind, obj in told if kind]
        moment = time.monotonic()
        if moment >= due:
            lines.append(_bookmark(view, seen))
            due = _next_bookmark(moment, until)
        if lines:
            await response.write(b"".join(lines))
        if moment >= until or closing():
            return response
        try:
            events, lines = await history.after(seen, min(due, until, moment + _BOOKMARK) - moment), []
        except ApiError as error:
            await response.write(_line("ERROR", error.status()))
            return response
        seen = events[-1].new.revision if events else max(seen, store.revision)


def _next_bookmark(moment: float, until: float) -> float:
    due = min(moment + _BOOKMARK, until - _BEFORE_END)
    return due if due > moment else math.inf


def _kind(event: Event, namespace: str, selected: Match | None) -> str:
    """Return the event's type for a watcher of this selection, "" for none; coming to match is ADDED."""
    if namespace and event.new.namespace != namespace:
        return ""
    if selected is None:
        return event.type
    after = event.type != "DELETED" and selected(event.new)
    before = event.old is not None and selected(event.old)
    return "MODIFIED" if after and before else "ADDED" if after else "DELETED" if before else ""


def _line(kind: str, obj: Json) -> bytes:
    return encode({"type": kind, "object": obj}) + b"\n"


def _bookmark(view: View, revision: int, annotations: dict[str, str] | None = None) -> bytes:
    meta = {"resourceVersion": str(revision), "creationTimestamp": None, "annotations": annotations or {}}
    return _line("BOOKMARK", view.nothing(meta))

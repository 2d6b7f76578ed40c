"""Watches: what changes in a collection, line by line, until the client has had enough."""

from __future__ import annotations

import time
from collections.abc import Callable

from aiohttp import web

from localkube.errors import ApiError, bad_request
from localkube.objects import Obj
from localkube.requests import Target, flag, form_of, number, selection
from localkube.store import Event, Record, Store, encode
from localkube.tables import metadata_only, table

_LONGEST = 3600
_BOOKMARK = 60.0  # seconds without an event after which a bookmark is sent


async def stream(
    request: web.Request, target: Target, store: Store, closing: Callable[[], bool]
) -> web.StreamResponse:
    """Answer a watch; raises ApiError 400 or 410 before it begins."""
    selected = selection(request, target.resource) or (lambda obj: True)
    since, everything = request.query.get("resourceVersion", ""), flag(request, "sendInitialEvents")
    initial: list[Record] = []
    if since in ("", "0") or everything:
        initial = [one for one in store.records(target.plural, target.namespace) if selected(one.data)]
        since = str(store.revision)
    if not since.isdigit():
        raise bad_request(f'resourceVersion: Invalid value: "{since}": must be a whole number')
    watch, lines = store.watch(target.plural, int(since)), _Lines(request, target)
    until = time.monotonic() + (number(request, "timeoutSeconds") or _LONGEST)
    bookmarks = flag(request, "allowWatchBookmarks")
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    first = [lines.line("ADDED", record) for record in initial]
    first += [lines.bookmark(store.revision, initial_end=True)] if everything else []
    if first:
        await response.write(b"".join(first))
    while (left := until - time.monotonic()) > 0 and not closing():
        try:
            events = await watch.events(min(left, _BOOKMARK))
        except ApiError as error:
            await response.write(encode({"type": "ERROR", "object": error.status()}) + b"\n")
            break
        written = [
            lines.line(kind, event.record)
            for event in events
            if (kind := _kind(event, target.namespace, selected))
        ]
        if not events and bookmarks:
            written.append(lines.bookmark(store.revision))
        if written:
            await response.write(b"".join(written))
    return response


def _kind(event: Event, namespace: str, selected: Callable[[Obj], bool]) -> str:
    """What the event is to a watcher of this selection; "" for nothing. Coming to match is to be added."""
    if namespace and event.new["metadata"].get("namespace") != namespace:
        return ""
    after = event.type != "DELETED" and selected(event.new)
    before = event.old is not None and selected(event.old)
    return "MODIFIED" if after and before else "ADDED" if after else "DELETED" if before else ""


class _Lines:
    """The lines of a watch in the representation asked for: whole objects, metadata only, or Tables."""

    def __init__(self, request: web.Request, target: Target) -> None:
        self._resource = target.resource
        self._form, self._include = form_of(request)

    def line(self, kind: str, record: Record) -> bytes:
        if self._form == "Table":
            meta = {"resourceVersion": str(record.revision)}
            raw = encode(table(self._resource.plural, [record.data], self._include, meta))
        else:
            raw = encode(metadata_only(record.data)) if self._form else record.raw
        return b'{"type":"%s","object":%s}\n' % (kind.encode(), raw)

    def bookmark(self, revision: int, initial_end: bool = False) -> bytes:
        meta: Obj = {"resourceVersion": str(revision), "creationTimestamp": None}
        if initial_end:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        obj = (
            table(self._resource.plural, [], "None", meta)
            if self._form == "Table"
            else {"kind": self._resource.kind, "apiVersion": self._resource.api_version, "metadata": meta}
        )
        return encode({"type": "BOOKMARK", "object": obj}) + b"\n"

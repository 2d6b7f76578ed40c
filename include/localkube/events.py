"""Event objects: what happened to an object, for people (`kubectl describe`, `kubectl get events`)."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict

from localkube.objects import Obj, lookup, name_of, now, with_metadata
from localkube.store import Store

_MOST = 8_000  # per cluster; the oldest go first
_HOURS_KEPT = 1.0


class Events:
    """Records events; one that repeats is counted up instead of recorded again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last = 0
        self._known: OrderedDict[tuple[str, str, str], tuple[str, str]] = OrderedDict()
        for event in store.objects("events"):
            identity = (
                event["involvedObject"].get("uid", ""),
                event.get("reason", ""),
                event.get("message", ""),
            )
            self._known[identity] = (event["metadata"]["namespace"], name_of(event))

    def record(self, about: Obj, reason: str, message: str, component: str, warning: bool = False) -> None:
        meta = about["metadata"]
        namespace = meta.get("namespace", "default")
        identity = (meta["uid"], reason, message)
        known = self._known.get(identity)
        if known is not None and (event := self._store.get("events", *known)) is not None:
            self._store.update("events", {**event, "count": event["count"] + 1, "lastTimestamp": now()})
            return
        name = f"{name_of(about)[:200]}.{self._moment():016x}"
        host = lookup(about, "spec.nodeName")
        self._store.create(
            "events",
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": namespace},
                "involvedObject": {
                    "apiVersion": about["apiVersion"],
                    "kind": about["kind"],
                    "name": name_of(about),
                    **({"namespace": meta["namespace"]} if "namespace" in meta else {}),
                    "uid": meta["uid"],
                    "resourceVersion": meta.get("resourceVersion", ""),
                },
                "reason": reason,
                "message": message,
                "type": "Warning" if warning else "Normal",
                "count": 1,
                "source": {"component": component, **({"host": host} if host else {})},
                "firstTimestamp": now(),
                "lastTimestamp": now(),
                "eventTime": None,
                "reportingComponent": component,
                "reportingInstance": host or "",
            },
        )
        self._known[identity] = (namespace, name)
        if len(self._known) > _MOST:
            self._forget(next(iter(self._known)))
        elif known is None:
            asyncio.get_running_loop().call_later(_HOURS_KEPT * 3600, self._forget, identity)

    def _moment(self) -> int:
        """Nanoseconds, later than the last: events are listed by name, so this keeps their order."""
        self._last = max(self._last + 1, time.time_ns())
        return self._last

    def _forget(self, identity: tuple[str, str, str]) -> None:
        known = self._known.pop(identity, None)
        event = self._store.get("events", *known) if known else None
        if event is not None:
            self._store.remove("events", with_metadata(event))

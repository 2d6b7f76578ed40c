"""Event objects: what happened to an object, for people (`kubectl describe`, `kubectl get events`)."""

from __future__ import annotations

import time

from localkube.objects import Obj, lookup, name_of, now, seconds
from localkube.store import Store

_MOST = 4_000  # per cluster
_KEPT = 3600.0  # seconds

Identity = tuple[str, str, str]  # uid of the object, reason, message


class Events:
    """Records events, oldest first; one that repeats is counted up instead of recorded again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._moment = 0
        self._known: dict[Identity, tuple[str, str, float]] = {}  # namespace, name, when
        for event in store.objects("events"):
            identity = (
                event["involvedObject"].get("uid", ""),
                event.get("reason", ""),
                event.get("message", ""),
            )
            when = seconds(event.get("firstTimestamp") or event["metadata"]["creationTimestamp"])
            self._known[identity] = (event["metadata"]["namespace"], name_of(event), when)

    def record(self, about: Obj, reason: str, message: str, component: str, warning: bool = False) -> None:
        meta = about["metadata"]
        namespace = meta.get("namespace", "default")
        identity = (meta["uid"], reason, message)
        known = self._known.get(identity)
        if known is not None and (event := self._store.get("events", *known[:2])) is not None:
            self._store.update("events", {**event, "count": event["count"] + 1, "lastTimestamp": now()})
            return
        self._moment = max(
            self._moment + 1, time.time_ns()
        )  # events are listed by name: this keeps their order
        name = f"{name_of(about)[:200]}.{self._moment:016x}"
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
        self._known.pop(identity, None)
        self._known[identity] = (namespace, name, time.time())
        self._forget()

    def _forget(self) -> None:
        """Remove the oldest events, when they are too old or too many."""
        while self._known:
            identity, (namespace, name, when) = next(iter(self._known.items()))
            if len(self._known) <= _MOST and time.time() - when < _KEPT:
                return
            del self._known[identity]
            event = self._store.get("events", namespace, name)
            if event is not None:
                self._store.remove("events", event)

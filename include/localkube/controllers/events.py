"""The events that tell people what happened, while they are kept."""

import time
from collections import Counter

from localkube.objects.object import Obj, now, seconds
from localkube.objects.store import Store

_MOST = 4_000  # per cluster
_KEPT = 3600.0  # seconds
_ALIKE = 25  # of one reason about one object: a Job's further new pods are not told, as in Kubernetes


class Events:
    """Records events, oldest first; a repeated one is counted instead of recorded again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._moment = 0
        # uid of the object, reason and message -> namespace and name of the event, and when it was recorded
        self._known: dict[tuple[str, str, str], tuple[str, str, float]] = {}
        self._alike: Counter[tuple[str, str]] = Counter()  # of these, by uid and reason
        for event in store.objects("events"):
            identity = event.at("involvedObject.uid"), event.get("reason", ""), event.get("message", "")
            when = seconds(event["metadata"]["creationTimestamp"])
            self._known[identity] = event.namespace, event.name, when
            self._alike[identity[:2]] += 1

    def record(self, about: Obj, reason: str, message: str, component: str, warning: bool = False) -> None:
        """Record an event, unless the object's namespace has gone meanwhile."""
        namespace, host = about.namespace or "default", about.at("spec.nodeName")
        if self._store.get("namespaces", "", namespace) is None:
            return
        identity = about.uid, reason, message
        known = self._known.get(identity)
        if known is not None and (event := self._store.get("events", *known[:2])) is not None:
            self._store.update("events", event.replaced(count=event.get("count", 1) + 1, lastTimestamp=now()))
            return
        if known is None and self._alike[identity[:2]] >= _ALIKE:
            return
        self._alike[identity[:2]] += known is None
        self._moment = max(self._moment + 1, time.time_ns())  # events are listed by name: keep their order
        name = f"{about.name[:200]}.{self._moment:016x}"
        involved = about.reference | {"resourceVersion": about["metadata"].get("resourceVersion", "")}
        event = Obj(
            apiVersion="v1",
            kind="Event",
            metadata={"name": name, "namespace": namespace},
            involvedObject=involved | ({"namespace": about.namespace} if about.namespace else {}),
            reason=reason,
            message=message,
            type="Warning" if warning else "Normal",
            count=1,
            source={"component": component, **({"host": host} if host else {})},
            firstTimestamp=now(),
            lastTimestamp=now(),
            eventTime=None,
            reportingComponent=component,
            reportingInstance=host or "",
        )
        self._store.create("events", event)
        self._known.pop(identity, None)
        self._known[identity] = namespace, name, time.time()
        self._forget()

    def _forget(self) -> None:
        """Remove the oldest events, when they are too old or too many."""
        while self._known:
            identity, (namespace, name, when) = next(iter(self._known.items()))
            if len(self._known) <= _MOST and time.time() - when < _KEPT:
                return
            del self._known[identity]
            self._alike[identity[:2]] -= 1
            if not self._alike[identity[:2]]:
                del self._alike[identity[:2]]
            event = self._store.get("events", namespace, name)
            if event is not None:
                self._store.remove("events", event)

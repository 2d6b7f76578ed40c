"""What all controllers share: the loop that works off what changed, and the events they tell people."""

import asyncio
import logging
import time
from abc import ABC, abstractmethod

from localkube.errors import ApiError
from localkube.objects import Key, Obj, lookup, name_of, now, reference, seconds
from localkube.store import Store

log = logging.getLogger(__name__)


class Events:
    """Records events, oldest first; one that repeats is counted up instead of recorded again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._moment = 0
        # uid of the object, reason and message -> namespace and name of the event, and when it was recorded
        self._known: dict[tuple[str, str, str], tuple[str, str, float]] = {}
        for event in store.objects("events"):
            meta = event["metadata"]
            identity = (
                event["involvedObject"].get("uid", ""),
                event.get("reason", ""),
                event.get("message", ""),
            )
            self._known[identity] = meta["namespace"], meta["name"], seconds(meta["creationTimestamp"])

    def record(self, about: Obj, reason: str, message: str, component: str, warning: bool = False) -> None:
        """Tell of something; nothing happens when the object's namespace has gone meanwhile."""
        namespace = about["metadata"].get("namespace", "default")
        if self._store.get("namespaces", "", namespace) is None:
            return
        identity = about["metadata"]["uid"], reason, message
        known = self._known.get(identity)
        if known is not None and (event := self._store.get("events", *known[:2])) is not None:
            self._store.update(
                "events", {**event, "count": event.get("count", 1) + 1, "lastTimestamp": now()}
            )
            return
        self._moment = max(self._moment + 1, time.time_ns())  # events are listed by name: keep their order
        name = f"{name_of(about)[:200]}.{self._moment:016x}"
        host = lookup(about, "spec.nodeName")
        involved = reference(about) | {"resourceVersion": about["metadata"].get("resourceVersion", "")}
        involved |= {"namespace": namespace} if "namespace" in about["metadata"] else {}
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": involved,
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
        }
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
            event = self._store.get("events", namespace, name)
            if event is not None:
                self._store.remove("events", event)


class Controller(ABC):
    """Works off the keys enqueued, each once however often it was; subclasses say what `sync` does.

    `sync` does not await, so what it writes is committed together.
    """

    component = ""  # its name in events
    period = 0.0  # seconds to gather more changes before the next round

    def __init__(self, store: Store, events: Events) -> None:
        self._store, self._events = store, events
        self._due: dict[Key, None] = {}
        self._wake = asyncio.Event()

    def enqueue(self, key: Key, after: float = 0.0) -> None:
        if after > 0:
            asyncio.get_running_loop().call_later(after, self.enqueue, key)
            return
        self._due[key] = None
        self._wake.set()

    def tell(self, about: Obj, reason: str, message: str, warning: bool = False) -> None:
        """Record an event."""
        self._events.record(about, reason, message, self.component, warning)

    @abstractmethod
    def sync(self, key: Key) -> None:
        """Bring one object nearer to what it asks for."""

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            due, self._due = self._due, {}
            for key in due:
                try:
                    self.sync(key)
                except ApiError as error:
                    log.info("%s of %s is tried again: %s", type(self).__name__, key, error)
                    self.enqueue(key, after=1.0)
                except Exception:
                    log.exception("%s failed on %s", type(self).__name__, key)
                    self.enqueue(key, after=5.0)
                await asyncio.sleep(0)
            await asyncio.sleep(self.period)


_MOST = 4_000  # per cluster
_KEPT = 3600.0  # seconds

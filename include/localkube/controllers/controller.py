"""What all controllers share: the loop over what has changed, and the pods they create."""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from typing import Any

from localkube.controllers.events import Events
from localkube.objects.admission import check_references
from localkube.objects.defaults import generated_name, new_pod
from localkube.objects.errors import ApiError
from localkube.objects.object import Json, Key, Obj
from localkube.objects.quotas import check_quotas
from localkube.objects.resources import RESOURCES
from localkube.objects.store import Store

log = logging.getLogger(__name__)
_TURN = 0.005  # seconds of work before others have a turn


def controls(owner: Obj) -> Json:
    """Return the owner reference of a controller."""
    return owner.reference | {"controller": True, "blockOwnerDeletion": True}


class Controller(ABC):
    """Processes each key once, however often it was enqueued; subclasses define `sync`.

    `sync` does not await, so its writes are committed together.
    """

    component = ""  # its name in events
    period = 0.0  # seconds to gather more changes before the next round

    def __init__(self, store: Store, events: Events) -> None:
        self.store, self._events = store, events
        self._due: dict[Key, None] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._wake = asyncio.Event()

    def enqueue(self, key: Key, after: float = 0.0) -> None:
        """Process the key now or in so many seconds, at the earliest of these times."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if after > 0:
            loop = asyncio.get_running_loop()
            when = loop.time() + after
            when = min(when, timer.when()) if timer else when
            self._timers[key] = loop.call_at(when, self.enqueue, key)
            return
        self._due[key] = None
        self._wake.set()

    def tell(self, about: Obj, reason: str, message: str, warning: bool = False) -> None:
        self._events.record(about, reason, message, self.component, warning)

    def report(self, resource: str, obj: Obj, status: Json) -> Obj:
        """Write the status of an object that may have gone meanwhile; return the object as it is now."""
        current = self.store.current(resource, obj)
        changed = (current or obj).replaced(status=status)
        return changed if current is None else self.store.update(resource, changed)

    def create_pod(self, owner: Obj, prefix: str, spec: Json, **metadata: Any) -> Obj:
        """Create a pod of an owner's template, from an admitted spec and additional metadata.

        :raises ApiError: 403 when the pod refers to something missing, or a quota has no room for it.
        """
        given = owner["spec"]["template"].get("metadata") or {}
        for key in ("labels", "annotations"):
            if merged := {**(given.get(key) or {}), **metadata.pop(key, {})}:
                metadata[key] = merged
        while self.store.get("pods", owner.namespace, name := generated_name(prefix)):
            pass  # taken: draw another
        named = {"generateName": prefix, "name": name, "namespace": owner.namespace}
        pod = new_pod({**metadata, **named, "ownerReferences": [controls(owner)]}, spec)
        try:
            check_references(self.store, owner.namespace, prefix, spec)
            check_quotas(self.store, RESOURCES["pods"], pod)
        except ApiError as error:
            self.tell(owner, "FailedCreate", f"Error creating: {error}", warning=True)
            raise
        pod = self.store.create("pods", pod)
        self.tell(owner, "SuccessfulCreate", f"Created pod: {pod.name}")
        return pod

    @abstractmethod
    def sync(self, key: Key) -> None:
        """Bring one object nearer to its spec."""

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            due, self._due = self._due, {}
            began = time.monotonic()
            for key in due:
                try:
                    self.sync(key)
                except ApiError as error:
                    log.info("%s of %s is tried again: %s", type(self).__name__, key, error)
                    self.enqueue(key, after=1.0)
                except Exception:
                    log.exception("%s failed on %s", type(self).__name__, key)
                    self.enqueue(key, after=5.0)
                if time.monotonic() - began > _TURN:
                    await asyncio.sleep(0)
                    began = time.monotonic()
            await asyncio.sleep(self.period)

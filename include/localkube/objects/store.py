"""The objects of one cluster: versions, conflicts, watch history and the controllers' indexes.

Every change gets the next resourceVersion, is appended to its resource's history (which watches read) and is
sent to the subscribers (which only enqueue work). Deletion ends here as well: an object being deleted is
removed as soon as its last finalizer is gone and, for a pod, its grace period is zero.
"""

import asyncio
import uuid
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from localkube.objects.errors import ApiError, conflict, not_found
from localkube.objects.object import Json, Key, Obj, now

_HISTORY = 4_000  # events kept for each resource; older watches get 410

Persist = Callable[[Key, Obj | None, int], None]


@dataclass(frozen=True, slots=True)
class Event:
    """A change: ADDED, MODIFIED or DELETED, the object after it and before it."""

    type: str
    new: Obj
    old: Obj | None


class History:
    """The last events of one resource, for watches."""

    def __init__(self, floor: int) -> None:
        self._events: list[Event] = []
        self._floor = floor  # version up to which events are forgotten
        self._changed = asyncio.Event()

    def append(self, event: Event) -> None:
        self._events.append(event)
        if len(self._events) > _HISTORY * 3 // 2:
            self._floor = self._events[-_HISTORY - 1].new.revision
            del self._events[:-_HISTORY]
        self._changed.set()

    async def after(self, revision: int, timeout: float) -> list[Event]:
        """Return at most 500 events after a version, or none after the time-out; raise ApiError 410."""
        if events := self._since(revision):
            return events
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        return self._since(revision)

    def _since(self, revision: int) -> list[Event]:
        if revision < self._floor:
            raise ApiError(410, f"too old resource version: {revision} ({self._floor})")
        start = bisect_right(self._events, revision, key=lambda event: event.new.revision)
        return self._events[start : start + 500]


class Store:
    """The objects of one cluster by resource, namespace ("" for none) and name."""

    def __init__(self, persist: Persist, revision: int = 0, objects: Iterable[tuple[str, Obj]] = ()) -> None:
        self.revision = self._floor = revision
        self.uids: dict[str, Key] = {}
        self.owned: dict[str, set[Key]] = defaultdict(set)  # owner uid -> what it owns
        self._items: dict[str, dict[str, dict[str, Obj]]] = defaultdict(lambda: defaultdict(dict))
        self.histories: dict[str, History] = defaultdict(lambda: History(self._floor))
        self._subscribers: dict[str, list[Callable[[Event], None]]] = defaultdict(list)
        self._persist = persist
        for resource, obj in objects:  # that an earlier process left
            self._place(obj.key(resource), obj)

    def subscribe(self, resource: str, note: Callable[[Event], None]) -> None:
        self._subscribers[resource].append(note)

    def get(self, resource: str, namespace: str, name: str) -> Obj | None:
        return self._items[resource][namespace].get(name)

    def existing(self, resource: str, namespace: str, name: str) -> Obj:
        """Return the object; raise ApiError 404."""
        found = self.get(resource, namespace, name)
        if found is None:
            raise not_found(resource, name)
        return found

    def current(self, resource: str, obj: Obj) -> Obj | None:
        """Return the same object as it is now, if it still exists; not another of its name."""
        found = self.get(*obj.key(resource))
        return found if found and found.uid == obj.uid else None

    def objects(self, resource: str, namespace: str = "") -> list[Obj]:
        """Yield objects in key order, of one namespace or ("") of all."""
        spaces = self._items[resource]
        wanted = [spaces.get(namespace, {})] if namespace else [spaces[one] for one in sorted(spaces)]
        return [space[name] for space in wanted for name in sorted(space)]

    def dependents(self, owner: Obj) -> list[tuple[str, Obj]]:
        """Yield the objects with this one among their owners, with their resource."""
        keys = sorted(self.owned.get(owner.uid, ()))
        return [(key[0], obj) for key in keys if (obj := self.get(*key)) is not None]

    def create(self, resource: str, given: Json, dry_run: bool = False) -> Obj:
        """Store a new object, which gets its uid unless it has one; raise ApiError 409."""
        obj = Obj(given)
        key = obj.key(resource)
        if self.get(*key) is not None:
            message = f'{resource} "{obj.name}" already exists'
            raise ApiError(409, message, "AlreadyExists", name=obj.name, kind=resource)
        made = {"uid": str(uuid.uuid4()), **obj["metadata"], "creationTimestamp": now()}
        obj = obj.replaced(metadata=made)
        return obj if dry_run else self._commit("ADDED", key, obj, None)

    def update(self, resource: str, obj: Obj, dry_run: bool = False) -> Obj:
        """Replace the object; a resourceVersion that is not the stored one is a conflict."""
        key = obj.key(resource)
        old = self.existing(*key)
        stored, given = old["metadata"]["resourceVersion"], obj["metadata"].get("resourceVersion")
        if given and given != stored:
            raise conflict(resource, obj.name)
        if not given:
            obj = obj.with_metadata(resourceVersion=stored)
        if obj == old or dry_run:
            return obj
        grace = obj["metadata"].get("deletionGracePeriodSeconds")
        gone = obj.deleting and not (obj.finalizers or grace or resource == "namespaces")
        return self._commit("DELETED" if gone else "MODIFIED", key, obj, old)

    def remove(self, resource: str, obj: Obj) -> Obj:
        """Remove the object, whatever its finalizers say."""
        return self._commit("DELETED", obj.key(resource), obj, obj)

    def _commit(self, kind: str, key: Key, obj: Obj, old: Obj | None) -> Obj:
        self.revision += 1
        obj = obj.with_metadata(resourceVersion=str(self.revision))
        if old is not None and (kind == "DELETED" or old.owners != obj.owners):
            self._displace(key, old)
        if kind != "DELETED":
            self._place(key, obj)
        self._persist(key, None if kind == "DELETED" else obj, self.revision)
        event = Event(kind, obj, old)
        self.histories[key[0]].append(event)
        for note in self._subscribers[key[0]]:
            note(event)
        return obj

    def _place(self, key: Key, obj: Obj) -> None:
        resource, namespace, name = key
        self._items[resource][namespace][name] = obj
        self.uids[obj.uid] = key
        for owner in obj.owners:
            self.owned[owner["uid"]].add(key)

    def _displace(self, key: Key, obj: Obj) -> None:
        resource, namespace, name = key
        del self._items[resource][namespace][name]
        self.uids.pop(obj.uid, None)
        for owner in obj.owners:
            self.owned[owner["uid"]].discard(key)
            if not self.owned[owner["uid"]]:
                del self.owned[owner["uid"]]

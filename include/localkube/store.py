"""The objects of one cluster: versions, conflicts, watch history and the indexes controllers live on.

Every change gets the next resourceVersion, is appended to its resource's history (which watches read) and is
told to the subscribers (which only take a note and work later). Deletion ends here as well: an object that is
being deleted goes as soon as its last finalizer is gone and, for a pod, its grace period is zero.
"""

from __future__ import annotations

import asyncio
import secrets
import uuid
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from localkube import errors
from localkube.database import Key
from localkube.objects import Obj, deleting, name_of, namespace_of, now, with_metadata

_HISTORY = 4_000  # events kept for each resource; older watches get 410
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # of generated names, as in Kubernetes: no vowels, no look-alikes

Persist = Callable[[Key, bytes | None, int], None]


class Record:
    """One version of an object, and its JSON once somebody has asked for it."""

    __slots__ = ("_raw", "data", "revision")

    def __init__(self, data: Obj, revision: int, raw: bytes | None = None) -> None:
        self.data, self.revision, self._raw = data, revision, raw

    @property
    def raw(self) -> bytes:
        if self._raw is None:
            self._raw = encode(self.data)
        return self._raw


@dataclass(frozen=True, slots=True)
class Event:
    """A change: ADDED, MODIFIED or DELETED, the record after it and the object before it."""

    type: str
    record: Record
    old: Obj | None

    @property
    def new(self) -> Obj:
        return self.record.data


class History:
    """The last events of one resource, and who waits for the next."""

    def __init__(self, floor: int) -> None:
        self.events: list[Event] = []
        self.dropped = 0  # events forgotten so far: absolute position of events[0]
        self.floor = floor  # version up to which events are forgotten
        self.waiting: set[asyncio.Event] = set()

    def append(self, event: Event) -> None:
        self.events.append(event)
        if len(self.events) > _HISTORY * 3 // 2:
            excess = len(self.events) - _HISTORY
            self.floor = self.events[excess - 1].record.revision
            self.dropped += excess
            del self.events[:excess]
        for waiter in self.waiting:
            waiter.set()


class Watch:
    """A reader's place in the history of one resource."""

    def __init__(self, history: History, since: int) -> None:
        if since < history.floor:
            raise errors.gone(f"too old resource version: {since} ({history.floor})")
        self._history = history
        self._next = history.dropped + bisect_right(
            history.events, since, key=lambda event: event.record.revision
        )
        self._wake = asyncio.Event()

    async def events(self, timeout: float) -> list[Event]:
        """The next events, at most 500, or none after the timeout. Raises ApiError 410 for a slow reader."""
        history = self._history
        if self._next >= history.dropped + len(history.events):
            self._wake.clear()
            history.waiting.add(self._wake)
            try:
                await asyncio.wait_for(self._wake.wait(), timeout)
            except TimeoutError:
                return []
            finally:
                history.waiting.discard(self._wake)
        start = self._next - history.dropped
        if start < 0:
            raise errors.gone("too old resource version: the watch could not keep up")
        batch = history.events[start : start + 500]
        self._next += len(batch)
        return batch


class Store:
    """The objects of one cluster by resource, namespace ("" for none) and name."""

    def __init__(self, persist: Persist, revision: int = 0) -> None:
        self.revision = self._floor = revision
        self.uids: dict[str, Key] = {}
        self.owned: dict[str, set[Key]] = defaultdict(set)  # owner uid -> what it owns
        self._items: dict[str, dict[str, dict[str, Record]]] = defaultdict(dict)
        self._histories: dict[str, History] = {}
        self._subscribers: dict[str, list[Callable[[Event], None]]] = defaultdict(list)
        self._persist = persist

    def load(self, objects: Iterable[tuple[str, bytes]]) -> None:
        """Take in what an earlier process left; no event is told."""
        for resource, raw in objects:
            data = msgspec.json.decode(raw)
            self._place(resource, Record(data, int(data["metadata"]["resourceVersion"]), raw))

    def subscribe(self, resource: str, note: Callable[[Event], None]) -> None:
        self._subscribers[resource].append(note)

    def watch(self, resource: str, since: int) -> Watch:
        return Watch(self._history(resource), since)

    def record(self, resource: str, namespace: str, name: str) -> Record:
        found = self._items[resource].get(namespace, {}).get(name)
        if found is None:
            raise errors.not_found(resource, name)
        return found

    def get(self, resource: str, namespace: str, name: str) -> Obj | None:
        found = self._items[resource].get(namespace, {}).get(name)
        return found.data if found else None

    def records(self, resource: str, namespace: str = "") -> list[Record]:
        """The records in key order, of one namespace or ("") of all."""
        spaces = self._items[resource]
        chosen = [spaces.get(namespace, {})] if namespace else [spaces[space] for space in sorted(spaces)]
        return [space[name] for space in chosen for name in sorted(space)]

    def objects(self, resource: str, namespace: str = "") -> list[Obj]:
        return [record.data for record in self.records(resource, namespace)]

    def create(self, resource: str, obj: Obj, dry_run: bool = False) -> Obj:
        meta: dict[str, Any] = {**obj["metadata"]}
        if not meta.get("name"):
            meta["name"] = generated_name(meta["generateName"])
        if self.get(resource, meta.get("namespace", ""), meta["name"]) is not None:
            raise errors.already_exists(resource, meta["name"])
        meta = {"uid": str(uuid.uuid4()), **meta, "creationTimestamp": now()}
        obj = {**obj, "metadata": meta}
        return obj if dry_run else self._commit("ADDED", resource, obj, None)

    def update(self, resource: str, obj: Obj, dry_run: bool = False) -> Obj:
        """Replace the object; a resourceVersion that is not the stored one is a conflict."""
        old = self.record(resource, namespace_of(obj), name_of(obj)).data
        version = obj["metadata"].get("resourceVersion")
        if version and version != old["metadata"]["resourceVersion"]:
            raise errors.conflict(resource, name_of(obj))
        if not version:
            obj = with_metadata(obj, resourceVersion=old["metadata"]["resourceVersion"])
        if obj == old or dry_run:
            return obj
        if (
            deleting(obj)
            and not obj["metadata"].get("finalizers")
            and not obj["metadata"].get("deletionGracePeriodSeconds")
            and resource != "namespaces"
        ):
            return self._commit("DELETED", resource, obj, old)
        return self._commit("MODIFIED", resource, obj, old)

    def remove(self, resource: str, obj: Obj) -> Obj:
        """Take the object out, whatever its finalizers say."""
        return self._commit("DELETED", resource, obj, obj)

    def _history(self, resource: str) -> History:
        return self._histories.setdefault(resource, History(self._floor))

    def _commit(self, kind: str, resource: str, obj: Obj, old: Obj | None) -> Obj:
        history = self._history(resource)
        self.revision += 1
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.revision)}}
        record = Record(obj, self.revision)
        key = (resource, namespace_of(obj), name_of(obj))
        if kind == "DELETED":
            self._displace(key, obj)
        else:
            self._place(resource, record)
        self._persist(key, None if kind == "DELETED" else record.raw, self.revision)
        event = Event(kind, record, old)
        history.append(event)
        for note in self._subscribers[resource]:
            note(event)
        return obj

    def _place(self, resource: str, record: Record) -> None:
        meta = record.data["metadata"]
        key = (resource, meta.get("namespace", ""), meta["name"])
        space = self._items[resource].setdefault(key[1], {})
        previous = space.get(key[2])
        if previous is not None:
            for owner in previous.data["metadata"].get("ownerReferences") or ():
                self.owned[owner["uid"]].discard(key)
        space[key[2]] = record
        self.uids[meta["uid"]] = key
        for owner in meta.get("ownerReferences") or ():
            self.owned[owner["uid"]].add(key)

    def _displace(self, key: Key, obj: Obj) -> None:
        space = self._items[key[0]][key[1]]
        del space[key[2]]
        if not space:
            del self._items[key[0]][key[1]]
        self.uids.pop(obj["metadata"]["uid"], None)
        for owner in obj["metadata"].get("ownerReferences") or ():
            owned = self.owned[owner["uid"]]
            owned.discard(key)
            if not owned:
                del self.owned[owner["uid"]]


def encode(data: object) -> bytes:
    """Compact JSON."""
    return msgspec.json.encode(data)


def generated_name(prefix: str) -> str:
    """A name from metadata.generateName, as the API server makes it: the prefix and five characters."""
    return prefix[:58] + "".join(secrets.choice(_ALPHABET) for _ in range(5))

"""The objects of one cluster: versions, conflicts, watch history and the indexes controllers live on.

Every change gets the next resourceVersion, is appended to its resource's history (which watches read) and is
told to the subscribers (which only take a note and work later). Deletion ends here as well: an object that is
being deleted goes as soon as its last finalizer is gone and, for a pod, its grace period is zero.
"""

import asyncio
import secrets
import uuid
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from localkube import errors
from localkube.errors import ApiError
from localkube.objects import Key, Obj, deleting, key_of, name_of, now, with_metadata

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
        self.changed = asyncio.Event()

    def append(self, event: Event) -> None:
        self.events.append(event)
        if len(self.events) > _HISTORY * 3 // 2:
            excess = len(self.events) - _HISTORY
            self.floor = self.events[excess - 1].record.revision
            self.dropped += excess
            del self.events[:excess]
        self.changed.set()
        self.changed = asyncio.Event()


class Watch:
    """A reader's place in the history of one resource."""

    def __init__(self, history: History, since: int) -> None:
        if since < history.floor:
            raise ApiError(410, f"too old resource version: {since} ({history.floor})")
        seen = bisect_right(history.events, since, key=lambda event: event.record.revision)
        self._history, self._next = history, history.dropped + seen

    async def events(self, timeout: float) -> list[Event]:
        """The next events, at most 500, or none after the timeout. Raises ApiError 410 for a slow reader."""
        history = self._history
        if self._next >= history.dropped + len(history.events):
            try:
                await asyncio.wait_for(history.changed.wait(), timeout)
            except TimeoutError:
                return []
        start = self._next - history.dropped
        if start < 0:
            raise ApiError(410, "too old resource version: the watch could not keep up")
        batch = history.events[start : start + 500]
        self._next += len(batch)
        return batch


class Store:
    """The objects of one cluster by resource, namespace ("" for none) and name."""

    def __init__(self, persist: Persist, revision: int = 0) -> None:
        self.revision = self._floor = revision
        self.uids: dict[str, Key] = {}
        self.owned: dict[str, set[Key]] = defaultdict(set)  # owner uid -> what it owns
        self._items: dict[str, dict[str, dict[str, Record]]] = defaultdict(lambda: defaultdict(dict))
        self._histories: dict[str, History] = {}
        self._subscribers: dict[str, list[Callable[[Event], None]]] = defaultdict(list)
        self._persist = persist

    def load(self, objects: Iterable[tuple[str, bytes]]) -> None:
        """Take in what an earlier process left; no event is told."""
        for resource, raw in objects:
            data = msgspec.json.decode(raw)
            self._place(key_of(resource, data), Record(data, int(data["metadata"]["resourceVersion"]), raw))

    def subscribe(self, resource: str, note: Callable[[Event], None]) -> None:
        self._subscribers[resource].append(note)

    def watch(self, resource: str, since: int) -> Watch:
        return Watch(self._history(resource), since)

    def record(self, resource: str, namespace: str, name: str) -> Record:
        """Raises ApiError 404."""
        found = self._items[resource][namespace].get(name)
        if found is None:
            raise errors.not_found(resource, name)
        return found

    def get(self, resource: str, namespace: str, name: str) -> Obj | None:
        found = self._items[resource][namespace].get(name)
        return found.data if found else None

    def records(self, resource: str, namespace: str = "") -> list[Record]:
        """The records in key order, of one namespace or ("") of all."""
        spaces = self._items[resource]
        wanted = [spaces.get(namespace, {})] if namespace else [spaces[one] for one in sorted(spaces)]
        return [space[name] for space in wanted for name in sorted(space)]

    def objects(self, resource: str, namespace: str = "") -> list[Obj]:
        return [record.data for record in self.records(resource, namespace)]

    def dependents(self, owner: Obj) -> list[tuple[str, Obj]]:
        """What names this object among its owners, with its resource."""
        keys = sorted(self.owned.get(owner["metadata"]["uid"], ()))
        return [(key[0], obj) for key in keys if (obj := self.get(*key)) is not None]

    def create(self, resource: str, obj: Obj, dry_run: bool = False) -> Obj:
        """Store a new object, which gets its uid unless it has one. Raises ApiError 409."""
        key = key_of(resource, obj)
        if self.get(*key) is not None:
            raise ApiError(
                409, f'{resource} "{key[2]}" already exists', "AlreadyExists", name=key[2], kind=resource
            )
        made = {"uid": str(uuid.uuid4()), **obj["metadata"], "creationTimestamp": now()}
        obj = {**obj, "metadata": made}
        return obj if dry_run else self._commit("ADDED", key, obj, None)

    def update(self, resource: str, obj: Obj, dry_run: bool = False) -> Obj:
        """Replace the object; a resourceVersion that is not the stored one is a conflict."""
        key = key_of(resource, obj)
        old = self.record(*key).data
        stored, given = old["metadata"]["resourceVersion"], obj["metadata"].get("resourceVersion")
        if given and given != stored:
            raise errors.conflict(resource, name_of(obj))
        if not given:
            obj = with_metadata(obj, resourceVersion=stored)
        if obj == old or dry_run:
            return obj
        meta = obj["metadata"]
        held = meta.get("finalizers") or meta.get("deletionGracePeriodSeconds") or resource == "namespaces"
        return self._commit("DELETED" if deleting(obj) and not held else "MODIFIED", key, obj, old)

    def remove(self, resource: str, obj: Obj) -> Obj:
        """Take the object out, whatever its finalizers say."""
        return self._commit("DELETED", key_of(resource, obj), obj, obj)

    def _history(self, resource: str) -> History:
        return self._histories.setdefault(resource, History(self._floor))

    def _commit(self, kind: str, key: Key, obj: Obj, old: Obj | None) -> Obj:
        self.revision += 1
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.revision)}}
        record = Record(obj, self.revision)
        if old is not None:
            self._displace(key, old)
        if kind != "DELETED":
            self._place(key, record)
        self._persist(key, None if kind == "DELETED" else record.raw, self.revision)
        event = Event(kind, record, old)
        self._history(key[0]).append(event)
        for note in self._subscribers[key[0]]:
            note(event)
        return obj

    def _place(self, key: Key, record: Record) -> None:
        resource, namespace, name = key
        self._items[resource][namespace][name] = record
        self.uids[record.data["metadata"]["uid"]] = key
        for owner in record.data["metadata"].get("ownerReferences") or ():
            self.owned[owner["uid"]].add(key)

    def _displace(self, key: Key, obj: Obj) -> None:
        resource, namespace, name = key
        del self._items[resource][namespace][name]
        self.uids.pop(obj["metadata"]["uid"], None)
        for owner in obj["metadata"].get("ownerReferences") or ():
            self.owned[owner["uid"]].discard(key)
            if not self.owned[owner["uid"]]:
                del self.owned[owner["uid"]]


def encode(data: object) -> bytes:
    """Compact JSON."""
    return msgspec.json.encode(data)


def generated_name(prefix: str) -> str:
    """A name from metadata.generateName, as the API server makes it: the prefix and five characters."""
    return prefix[:58] + "".join(secrets.choice(_ALPHABET) for _ in range(5))

"""How objects go: graceful deletion, owners and dependents, namespaces, Jobs past their time to live."""

from __future__ import annotations

import time

from localkube import errors
from localkube.controller import Controller
from localkube.database import Key
from localkube.objects import (
    Obj,
    deleting,
    finished,
    is_true,
    lookup,
    name_of,
    namespace_of,
    now,
    seconds,
    with_metadata,
    with_status,
)
from localkube.resources import RESOURCES
from localkube.store import Event, Store

_PERMANENT = ("default", "kube-node-lease", "kube-public", "kube-system")
_POLICIES = ("Background", "Foreground", "Orphan")


def delete(store: Store, resource: str, obj: Obj, policy: str | None = None, grace: int | None = None) -> Obj:
    """Delete as the API does and return the object as left; without a policy the dependents of a Job stay.

    A pod that runs keeps running until its node has ended it; an object with finalizers waits for them.
    Raises ApiError 403 for namespaces that must stay and 422 for an unknown policy.
    """
    if policy not in (None, *_POLICIES):
        raise errors.invalid(
            "DeleteOptions",
            "",
            "",
            [
                {
                    "reason": "FieldValueNotSupported",
                    "field": "propagationPolicy",
                    "message": f'Unsupported value: "{policy}": supported values: '
                    '"Background", "Foreground", "Orphan"',
                }
            ],
        )
    if resource == "namespaces" and name_of(obj) in _PERMANENT:
        raise errors.forbidden(resource, name_of(obj), "this namespace may not be deleted")
    meta = obj["metadata"]
    finalizers = [one for one in meta.get("finalizers") or () if one not in ("orphan", "foregroundDeletion")]
    if policy == "Orphan" or (policy is None and resource == "jobs"):
        finalizers.append("orphan")
    elif policy == "Foreground":
        finalizers.append("foregroundDeletion")
    wait = _grace(resource, obj, grace)
    if deleting(obj):
        wait = min(wait, meta.get("deletionGracePeriodSeconds") or 0)
    if not finalizers and not wait and resource != "namespaces":
        return store.remove(resource, obj)
    if resource == "namespaces":
        obj = with_status(obj, phase="Terminating")
    elif resource == "pods" and not lookup(obj, "spec.nodeName"):
        obj = with_status(obj, phase="Failed")  # it will never run, and whoever tracks it may let go
    stamp = meta.get("deletionTimestamp") or now()
    return store.update(
        resource,
        with_metadata(
            obj, deletionTimestamp=stamp, deletionGracePeriodSeconds=wait, finalizers=finalizers or None
        ),
    )


def _grace(resource: str, obj: Obj, asked: int | None) -> int:
    if resource != "pods" or not obj["spec"].get("nodeName") or finished(obj):
        return 0
    return int(obj["spec"]["terminationGracePeriodSeconds"] if asked is None else max(asked, 0))


class GarbageCollector(Controller[Key]):
    """Deletes what lost its owners, and completes Foreground and Orphan deletions and namespaces."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        for resource in RESOURCES:
            store.subscribe(resource, lambda event, resource=resource: self._note(resource, event))  # type: ignore[misc]
        for resource in RESOURCES:
            for obj in store.objects(resource):
                if deleting(obj) or obj["metadata"].get("ownerReferences"):
                    self.enqueue((resource, namespace_of(obj), name_of(obj)))
                self._time_to_live(resource, obj)

    def _note(self, resource: str, event: Event) -> None:
        obj = event.new
        meta = obj["metadata"]
        if event.type == "DELETED":
            for key in self._store.owned.get(meta["uid"], ()):
                self.enqueue(key)
            for owner in meta.get("ownerReferences") or ():  # a foreground deletion may wait for this one
                if owner["uid"] in self._store.uids:
                    self.enqueue(self._store.uids[owner["uid"]])
            if meta.get("namespace"):
                self._enqueue_namespace(meta["namespace"])
        elif deleting(obj) or (event.type == "ADDED" and meta.get("ownerReferences")):
            self.enqueue((resource, namespace_of(obj), name_of(obj)))
        if event.type == "ADDED" and meta.get("namespace"):
            self._enqueue_namespace(meta["namespace"])
        self._time_to_live(resource, obj)

    def _enqueue_namespace(self, name: str) -> None:
        namespace = self._store.get("namespaces", "", name)
        if namespace is not None and deleting(namespace):
            self.enqueue(("namespaces", "", name))

    def _time_to_live(self, resource: str, obj: Obj) -> None:
        if resource == "jobs" and (expiry := _expiry(obj)) is not None:
            self.enqueue((resource, namespace_of(obj), name_of(obj)), after=max(expiry - time.time(), 0.001))

    def sync(self, key: Key) -> None:
        resource, namespace, name = key
        obj = self._store.get(resource, namespace, name)
        if obj is None:
            return
        finalizers = obj["metadata"].get("finalizers") or []
        if not deleting(obj):
            owners = obj["metadata"].get("ownerReferences") or ()
            expiry = _expiry(obj) if resource == "jobs" else None
            if owners and not any(owner["uid"] in self._store.uids for owner in owners):
                delete(self._store, resource, obj, "Background")
            elif expiry is not None and expiry <= time.time():
                delete(self._store, resource, obj, "Foreground")
        elif resource == "namespaces":
            self._empty(obj)
        elif "orphan" in finalizers:
            self._orphan(obj)
            self._finalized(resource, obj, "orphan")
        elif "foregroundDeletion" in finalizers and self._dependents_gone(obj):
            self._finalized(resource, obj, "foregroundDeletion")

    def _finalized(self, resource: str, obj: Obj, finalizer: str) -> None:
        left = [one for one in obj["metadata"]["finalizers"] if one != finalizer]
        self._store.update(resource, with_metadata(obj, finalizers=left or None))

    def _orphan(self, owner: Obj) -> None:
        uid = owner["metadata"]["uid"]
        for resource, namespace, name in list(self._store.owned.get(uid, ())):
            obj = self._store.get(resource, namespace, name)
            if obj is not None:
                left = [one for one in obj["metadata"]["ownerReferences"] if one["uid"] != uid]
                self._store.update(resource, with_metadata(obj, ownerReferences=left or None))

    def _dependents_gone(self, owner: Obj) -> bool:
        gone = True
        for resource, namespace, name in list(self._store.owned.get(owner["metadata"]["uid"], ())):
            obj = self._store.get(resource, namespace, name)
            if obj is None:
                continue
            if not deleting(obj):
                delete(self._store, resource, obj, "Foreground" if resource != "pods" else "Background")
            gone = gone and self._store.get(resource, namespace, name) is None
        return gone

    def _empty(self, namespace: Obj) -> None:
        """Delete everything in the namespace, and the namespace once it is empty."""
        left = False
        for resource, kind in RESOURCES.items():
            if kind.namespaced:
                for obj in self._store.objects(resource, name_of(namespace)):
                    if not deleting(obj):
                        delete(self._store, resource, obj, "Background")
                left = left or bool(self._store.records(resource, name_of(namespace)))
        if not left:
            self._store.remove("namespaces", namespace)


def _expiry(job: Obj) -> float | None:
    """When a finished Job with a time to live is to go, in seconds since the epoch."""
    ttl = job["spec"].get("ttlSecondsAfterFinished")
    if ttl is None or deleting(job):
        return None
    for kind in ("Complete", "Failed"):
        if is_true(job, kind):
            ended = next(one for one in job["status"]["conditions"] if one["type"] == kind)[
                "lastTransitionTime"
            ]
            return seconds(ended) + float(ttl)
    return None

"""How objects go: graceful deletion, owners and dependents, namespaces, Jobs past their time to live.

A namespace is given its default service account and the cluster's authority, and emptied when it goes.
"""

import time

from localkube import errors
from localkube.controller import Controller, Events
from localkube.defaults import with_defaults
from localkube.objects import (
    Key,
    Obj,
    condition,
    deleting,
    finished,
    key_of,
    lookup,
    name_of,
    namespace_of,
    now,
    seconds,
    with_metadata,
    with_status,
    without_finalizer,
)
from localkube.resources import RESOURCES
from localkube.store import Event, Store

_NAMESPACED = [one.plural for one in RESOURCES.values() if one.namespaced]


class GarbageCollector(Controller):
    """Works off objects that are being deleted, have owners or may expire, and namespaces."""

    def __init__(self, store: Store, events: Events, authority: str) -> None:
        super().__init__(store, events)
        self._authority = authority
        for resource in RESOURCES:
            store.subscribe(resource, lambda event, resource=resource: self._note(resource, event))  # type: ignore[misc]
            for obj in store.objects(resource):
                self._consider(key_of(resource, obj), obj, fresh=True)

    def found(self) -> None:
        """Make the namespaces of a new cluster."""
        for name in FIRST_NAMESPACES:
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            self._store.create("namespaces", with_defaults("namespaces", namespace))

    def _note(self, resource: str, event: Event) -> None:
        obj = event.new
        if event.type != "DELETED":
            return self._consider(key_of(resource, obj), obj, fresh=event.type == "ADDED")
        for key in self._store.owned.get(obj["metadata"]["uid"], ()):
            self.enqueue(key)
        for owner in obj["metadata"].get("ownerReferences") or ():  # that may wait for this one
            if owner["uid"] in self._store.uids:
                self.enqueue(self._store.uids[owner["uid"]])
        if resource in ("serviceaccounts", "configmaps"):
            self.enqueue(("namespaces", "", namespace_of(obj)))
        self._enqueue_terminating(namespace_of(obj))

    def _consider(self, key: Key, obj: Obj, fresh: bool) -> None:
        if deleting(obj) or (fresh and obj["metadata"].get("ownerReferences")) or key[0] == "namespaces":
            self.enqueue(key)
        if key[0] == "jobs" and (expiry := _expiry(obj)) is not None:
            self.enqueue(key, after=max(expiry - time.time(), 0.001))
        if fresh:
            self._enqueue_terminating(key[1])

    def _enqueue_terminating(self, name: str) -> None:
        namespace = self._store.get("namespaces", "", name)
        if namespace is not None and deleting(namespace):
            self.enqueue(("namespaces", "", name))

    def sync(self, key: Key) -> None:
        obj, resource = self._store.get(*key), key[0]
        if obj is None:
            return
        finalizers = obj["metadata"].get("finalizers") or []
        if resource == "namespaces":
            self._empty(obj) if deleting(obj) else self._furnish(key[2])
        elif not deleting(obj):
            owners = obj["metadata"].get("ownerReferences") or ()
            expiry = _expiry(obj) if resource == "jobs" else None
            if owners and not any(owner["uid"] in self._store.uids for owner in owners):
                delete(self._store, resource, obj, "Background")
            elif expiry is not None and expiry <= time.time():
                delete(self._store, resource, obj, "Foreground")
        elif "orphan" in finalizers:
            self._orphan(obj)
            self._store.update(resource, without_finalizer(obj, "orphan"))
        elif "foregroundDeletion" in finalizers and self._dependents_gone(obj):
            self._store.update(resource, without_finalizer(obj, "foregroundDeletion"))

    def _orphan(self, owner: Obj) -> None:
        for resource, obj in self._store.dependents(owner):
            owners = obj["metadata"]["ownerReferences"]
            left = [one for one in owners if one["uid"] != owner["metadata"]["uid"]]
            self._store.update(resource, with_metadata(obj, ownerReferences=left or None))

    def _dependents_gone(self, owner: Obj) -> bool:
        for resource, obj in self._store.dependents(owner):
            if not deleting(obj):
                delete(self._store, resource, obj, "Background" if resource == "pods" else "Foreground")
        return not self._store.dependents(owner)

    def _furnish(self, name: str) -> None:
        authority = {"data": {"ca.crt": self._authority}}
        for resource, kind, called, more in (
            ("serviceaccounts", "ServiceAccount", "default", {}),
            ("configmaps", "ConfigMap", "kube-root-ca.crt", authority),
        ):
            if self._store.get(resource, name, called) is None:
                meta = {"name": called, "namespace": name}
                self._store.create(resource, {"apiVersion": "v1", "kind": kind, "metadata": meta, **more})

    def _empty(self, namespace: Obj) -> None:
        """Delete everything in the namespace, and the namespace once it is empty."""
        left = 0
        for resource in _NAMESPACED:
            for obj in self._store.objects(resource, name_of(namespace)):
                if not deleting(obj):
                    delete(self._store, resource, obj, "Background")
            left += len(self._store.records(resource, name_of(namespace)))
        if not left:
            self._store.remove("namespaces", namespace)


def _expiry(job: Obj) -> float | None:
    """When a finished Job with a time to live is to go, in seconds since the epoch."""
    ttl, last = (
        job["spec"].get("ttlSecondsAfterFinished"),
        condition(job, "Complete") or condition(job, "Failed"),
    )
    if ttl is None or deleting(job) or last.get("status") != "True":
        return None
    return seconds(last["lastTransitionTime"]) + float(ttl)


FIRST_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_FINALIZERS = {"Background": None, "Foreground": "foregroundDeletion", "Orphan": "orphan"}


def delete(store: Store, resource: str, obj: Obj, policy: str | None = None, grace: int | None = None) -> Obj:
    """Delete as the API does and return the object as left; without a policy the dependents of a Job stay.

    A pod that runs keeps running until its node has ended it; an object with finalizers waits for them.
    Raises ApiError 403 for namespaces that must stay and 422 for an unknown policy.
    """
    policy = policy or ("Orphan" if resource == "jobs" else "Background")
    if policy not in _FINALIZERS:
        problem = errors.unsupported(policy, _FINALIZERS)
        raise errors.unprocessable("DeleteOptions", "", [("propagationPolicy", problem)])
    if resource == "namespaces" and name_of(obj) in FIRST_NAMESPACES:
        raise errors.refused(resource, name_of(obj), "this namespace may not be deleted")
    meta = obj["metadata"]
    finalizers = [one for one in meta.get("finalizers") or () if one not in _FINALIZERS.values()]
    finalizers += [one] if (one := _FINALIZERS[policy]) else []
    wait = _grace(resource, obj, grace)
    if deleting(obj):
        wait = min(wait, meta.get("deletionGracePeriodSeconds") or 0)
    if not finalizers and not wait and resource != "namespaces":
        return store.remove(resource, obj)
    if resource == "namespaces":
        obj = with_status(obj, phase="Terminating")
    elif resource == "pods" and not lookup(obj, "spec.nodeName"):
        obj = with_status(obj, phase="Failed")  # it will never run, and whoever tracks it may let go
    since = meta.get("deletionTimestamp") or now()
    marks = {"deletionTimestamp": since, "deletionGracePeriodSeconds": wait, "finalizers": finalizers or None}
    return store.update(resource, with_metadata(obj, **marks))


def _grace(resource: str, obj: Obj, asked: int | None) -> int:
    if resource != "pods" or not obj["spec"].get("nodeName") or finished(obj):
        return 0
    return int(obj["spec"]["terminationGracePeriodSeconds"] if asked is None else max(asked, 0))

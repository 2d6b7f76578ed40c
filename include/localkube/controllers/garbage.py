"""How objects are deleted: gracefully, with dependents, with namespaces, and Jobs after their time to live.

A namespace gets its default service account and the cluster's authority, and is emptied when it is deleted.
"""

import time
from functools import partial

from localkube.controllers.controller import Controller
from localkube.controllers.events import Events
from localkube.objects.defaults import complete
from localkube.objects.object import Key, Obj, now, seconds
from localkube.objects.resources import RESOURCES
from localkube.objects.rules import unprocessable, unsupported
from localkube.objects.store import Event, Store

FIRST_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_NAMESPACED = [one.plural for one in RESOURCES.values() if one.namespaced]
_FINALIZERS = {"Background": None, "Foreground": "foregroundDeletion", "Orphan": "orphan"}


def delete(store: Store, resource: str, obj: Obj, policy: str | None = None, grace: int | None = None) -> Obj:
    """Delete as the API does and return the remaining object; by default the dependents of a Job stay.

    A pod runs until its node has ended it; an object with finalizers waits for them.

    :raises ApiError: 422 for an unknown policy.
    """
    policy = policy or ("Orphan" if resource == "jobs" else "Background")
    if policy not in _FINALIZERS:
        problem = unsupported("propagationPolicy", policy, _FINALIZERS)
        raise unprocessable("DeleteOptions", "", [problem])
    finalizers = [one for one in obj.finalizers if one not in _FINALIZERS.values()]
    finalizers += [one] if (one := _FINALIZERS[policy]) else []
    wait, running = 0, resource == "pods" and bool(obj.at("spec.nodeName"))
    if running and not obj.finished:
        wait = obj["spec"]["terminationGracePeriodSeconds"] if grace is None else max(grace, 0)
    if obj.deleting:
        wait = min(wait, obj["metadata"].get("deletionGracePeriodSeconds") or 0)
    if not finalizers and not wait and resource != "namespaces":
        return store.remove(resource, obj)
    if resource == "namespaces":
        obj = obj.with_status(phase="Terminating")
    elif resource == "pods" and not running:
        obj = obj.with_status(phase="Failed")  # it will never run, and whoever tracks it may release it
    since = obj["metadata"].get("deletionTimestamp") or now()
    marks = {"deletionTimestamp": since, "deletionGracePeriodSeconds": wait, "finalizers": finalizers or None}
    return store.update(resource, obj.with_metadata(**marks))


class GarbageCollector(Controller):
    """Processes objects that are being deleted, have owners or may expire, and namespaces."""

    period = 0.05

    def __init__(self, store: Store, events: Events, authority: str) -> None:
        super().__init__(store, events)
        self._authority = authority
        for resource in RESOURCES:
            store.subscribe(resource, partial(self._note, resource))
            for obj in store.objects(resource):
                self.enqueue(obj.key(resource))

    def found(self) -> None:
        """Create the namespaces of a new cluster."""
        for name in FIRST_NAMESPACES:
            namespace = Obj(apiVersion="v1", kind="Namespace", metadata={"name": name})
            self.store.create("namespaces", complete(namespace))

    def _note(self, resource: str, event: Event) -> None:
        obj = event.new
        if obj.deleting or obj.owners or resource in ("jobs", "namespaces"):
            self.enqueue(obj.key(resource))
        if event.type == "DELETED":
            self.enqueue(("namespaces", "", obj.namespace))
            owners = [owner["uid"] for owner in obj.owners]  # they may wait for this one
            waiting = [self.store.uids[uid] for uid in owners if uid in self.store.uids]
            for key in (*waiting, *self.store.owned.get(obj.uid, ())):
                self.enqueue(key)

    def sync(self, key: Key) -> None:
        obj, resource = self.store.get(*key), key[0]
        if obj is None:
            return
        if resource == "namespaces":
            self._empty(obj) if obj.deleting else self._furnish(obj.name)
        elif not obj.deleting:
            if obj.owners and not any(owner["uid"] in self.store.uids for owner in obj.owners):
                delete(self.store, resource, obj, "Background")
            elif resource == "jobs" and (left := _time_to_live(obj)) is not None:
                if left > 0:
                    self.enqueue(key, after=left)
                else:
                    delete(self.store, resource, obj, "Foreground")
        elif "orphan" in obj.finalizers:
            self._orphan(obj)
            self.store.update(resource, obj.without_finalizer("orphan"))
        elif "foregroundDeletion" in obj.finalizers and self._dependents_gone(obj):
            self.store.update(resource, obj.without_finalizer("foregroundDeletion"))

    def _orphan(self, owner: Obj) -> None:
        for resource, obj in self.store.dependents(owner):
            left = [one for one in obj.owners if one["uid"] != owner.uid]
            self.store.update(resource, obj.with_metadata(ownerReferences=left or None))

    def _dependents_gone(self, owner: Obj) -> bool:
        for resource, obj in self.store.dependents(owner):
            if not obj.deleting:
                delete(self.store, resource, obj, "Background" if resource == "pods" else "Foreground")
        return not self.store.dependents(owner)

    def _furnish(self, name: str) -> None:
        for resource, kind, called, more in (
            ("serviceaccounts", "ServiceAccount", "default", {}),
            ("configmaps", "ConfigMap", "kube-root-ca.crt", {"data": {"ca.crt": self._authority}}),
        ):
            if self.store.get(resource, name, called) is None:
                meta = {"name": called, "namespace": name}
                self.store.create(resource, {"apiVersion": "v1", "kind": kind, "metadata": meta, **more})

    def _empty(self, namespace: Obj) -> None:
        """Delete everything in the namespace, and the namespace once it is empty."""
        for resource in _NAMESPACED:
            for obj in self.store.objects(resource, namespace.name):
                if not obj.deleting:
                    delete(self.store, resource, obj, "Background")
        if not any(self.store.objects(resource, namespace.name) for resource in _NAMESPACED):
            self.store.remove("namespaces", namespace)


def _time_to_live(job: Obj) -> float | None:
    """Return the seconds left of a finished Job with a time to live."""
    ttl = job["spec"].get("ttlSecondsAfterFinished")
    last = job.condition("Complete") or job.condition("Failed")
    if ttl is None or last.get("status") != "True":
        return None
    return seconds(last["lastTransitionTime"]) + float(ttl) - time.time()

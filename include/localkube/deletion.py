"""How an object goes when it is told to: at once, after its grace period, or with its finalizers."""

from localkube import errors
from localkube.objects import Obj, deleting, finished, lookup, name_of, now, with_metadata, with_status
from localkube.store import Store

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

"""Resource quotas: how many objects a namespace may have, and how much its pods may ask for.

A quota speaks before the name does: what is there already is refused with 403, not with 409.
"""

from collections import Counter

from localkube.objects.errors import refused
from localkube.objects.object import Obj, amounts_of, containers_of, lookup, quantity
from localkube.objects.resources import RESOURCES, Resource
from localkube.objects.store import Store

_OLD_NAMES = ("pods", "configmaps", "secrets", "resourcequotas")  # of what has names without "count/" too
_PATHS = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory")  # below the resources of a pod
_COMPUTE = {path: path for path in _PATHS} | {name: f"requests.{name}" for name in ("cpu", "memory")}


def check_quotas(store: Store, resource: Resource, obj: Obj) -> None:
    """Refuse an object that a quota of its namespace has no room for. Raises ApiError 403."""
    about = f"{resource.plural}.{resource.group}".rstrip(".")
    for quota in store.objects("resourcequotas", obj.namespace) if resource.namespaced else ():
        hard, wanted = quota.at("spec.hard") or {}, _usage(resource, obj)
        if resource.plural == "pods" and (missing := _unspecified(obj, hard)):
            raise refused(about, obj.name, f"failed quota: {quota.name}: must specify {missing}")
        if unknown := sorted(hard.keys() & wanted.keys() - (quota.at("status.hard") or {}).keys()):
            why = f"status unknown for quota: {quota.name}, resources: {','.join(unknown)}"
            raise refused(about, obj.name, why)
        used = used_of(store, quota)
        over = [
            key for key in sorted(hard) if key in wanted and used[key] + wanted[key] > quantity(hard[key])
        ]
        if over:
            parts = {
                "requested": [f"{key}={wanted[key]:g}" for key in over],
                "used": [f"{key}={used[key]:g}" for key in over],
                "limited": [f"{key}={hard[key]}" for key in over],
            }
            told = ", ".join(f"{name}: {','.join(values)}" for name, values in parts.items())
            raise refused(about, obj.name, f"exceeded quota: {quota.name}, {told}")


def used_of(store: Store, quota: Obj) -> dict[str, float]:
    """What there is in a quota's namespace of all that it limits."""
    hard, used = quota.at("spec.hard") or {}, Counter[str]()
    for resource in RESOURCES.values():
        if any(_concerns(key, resource) for key in hard):
            for obj in store.objects(resource.plural, quota.namespace):
                used.update(_usage(resource, obj))
    return {key: used[key] for key in hard}


def _concerns(key: str, resource: Resource) -> bool:
    return key in _counts(resource) or (resource.plural == "pods" and key in _COMPUTE)


def _counts(resource: Resource) -> set[str]:
    """The keys under which objects of a resource are counted."""
    old = {resource.plural} if resource.plural in _OLD_NAMES else set()
    return {f"count/{resource.plural}.{resource.group}".rstrip("."), *old}


def _usage(resource: Resource, obj: Obj) -> dict[str, float]:
    """What one object takes of each key; a pod that has ended is an object, and nothing else."""
    usage = dict.fromkeys(_counts(resource), 1.0)
    if resource.plural != "pods":
        return usage
    if obj.finished:
        return usage | {"pods": 0.0}
    kinds = {kind: amounts_of(obj["spec"], kind) for kind in ("requests", "limits")}
    amounts = {f"{kind}.{name}": amount for kind, of in kinds.items() for name, amount in of.items()}
    return usage | {key: amounts.get(path, 0.0) for key, path in _COMPUTE.items()}


def _unspecified(pod: Obj, hard: dict[str, str]) -> str:
    """What a quota limits and containers do not ask for: "limits.cpu for: a,b; limits.memory for: b"."""
    missing = {
        key: [one["name"] for one in containers_of(pod["spec"]) if lookup(one, f"resources.{path}") is None]
        for key, path in sorted(_COMPUTE.items())
        if key in hard
    }
    return "; ".join(f"{key} for: {','.join(sorted(names))}" for key, names in missing.items() if names)

"""Resource quotas: how many objects a namespace may have, and what its pods request.

The quota is checked before the name: an existing object is refused with 403, not with 409.
"""

from collections import Counter

from localkube.objects.errors import refused
from localkube.objects.object import Obj, amounts_of, containers_of, lookup, quantity
from localkube.objects.resources import RESOURCES, Resource
from localkube.objects.store import Store

_OLD_NAMES = ("pods", "configmaps", "secrets", "resourcequotas")  # these are also counted without "count/"
_PATHS = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory")  # below the resources of a pod
_COMPUTE = {path: path for path in _PATHS} | {name: f"requests.{name}" for name in ("cpu", "memory")}


def check_quotas(store: Store, resource: Resource, obj: Obj) -> None:
    """Refuse an object for which a quota of its namespace has no room; raise ApiError 403."""
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
    """Return what a quota's namespace uses of everything that it limits."""
    hard, used = quota.at("spec.hard") or {}, Counter[str]()
    for resource in RESOURCES.values():
        of_pods = hard.keys() & _COMPUTE.keys() if resource.plural == "pods" else ()
        if of_pods or hard.keys() & _counts(resource):
            for obj in store.objects(resource.plural, quota.namespace):
                used.update(_usage(resource, obj))
    return {key: used[key] for key in hard}


def _counts(resource: Resource) -> set[str]:
    """Return the keys under which objects of a resource are counted."""
    old = {resource.plural} if resource.plural in _OLD_NAMES else set()
    return {f"count/{resource.plural}.{resource.group}".rstrip("."), *old}


def _usage(resource: Resource, obj: Obj) -> dict[str, float]:
    """Return what one object takes of each key; a pod that has ended counts only as an object."""
    usage = dict.fromkeys(_counts(resource), 1.0)
    if resource.plural != "pods":
        return usage
    if obj.finished:
        return usage | {"pods": 0.0}
    kinds = {kind: amounts_of(obj["spec"], kind) for kind in ("requests", "limits")}
    amounts = {f"{kind}.{name}": amount for kind, of in kinds.items() for name, amount in of.items()}
    return usage | {key: amounts.get(path, 0.0) for key, path in _COMPUTE.items()}


def _unspecified(pod: Obj, hard: dict[str, str]) -> str:
    """Return what a quota limits and containers omit: "limits.cpu for: a,b; limits.memory for: b"."""
    missing = {
        key: [one["name"] for one in containers_of(pod["spec"]) if lookup(one, f"resources.{path}") is None]
        for key, path in sorted(_COMPUTE.items())
        if key in hard
    }
    return "; ".join(f"{key} for: {','.join(sorted(names))}" for key, names in missing.items() if names)

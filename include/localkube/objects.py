"""What every Kubernetes object has in common: metadata, owners, conditions, times and quantities.

Stored objects are shared between the store, the watch history and the controllers, and the pods of one Job
share their spec: an object is never changed in place, a changed one is a new dictionary along the changed
path.
"""

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

Obj = dict[str, Any]
Key = tuple[str, str, str]  # resource, namespace ("" for none) and name

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?)")
_SUFFIX = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_SUFFIX |= {f"{s}i": 1024.0**n for n, s in enumerate("KMGTPE", 1)}


@lru_cache(maxsize=4096, typed=True)
def quantity(text: object) -> float:
    """The value of a Kubernetes quantity ("900m", "6Gi", 2); raises ValueError when it is none."""
    match = _QUANTITY.fullmatch(str(text))
    if match is None or isinstance(text, bool):
        raise ValueError(f"{text!r} is no quantity such as 500m, 2 or 6Gi")
    number, exponent, suffix = match.groups()
    return float(number + (exponent or "")) * _SUFFIX.get(suffix or "", 1.0)


def now() -> str:
    """The time as the API writes it."""
    return at(int(time.time()))


@lru_cache(maxsize=256)
def at(epoch: int) -> str:
    """Seconds since the epoch as the API writes them."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(timestamp: str) -> float:
    """A timestamp of the API as seconds since the epoch. Raises ValueError."""
    moment = datetime.fromisoformat(timestamp)
    if moment.tzinfo is None:
        raise ValueError(f"{timestamp!r} has no time zone")
    return moment.timestamp()


def namespace_of(obj: Obj) -> str:
    """The namespace, or "" for what has none."""
    return str(obj["metadata"].get("namespace", ""))


def name_of(obj: Obj) -> str:
    """The name."""
    return str(obj["metadata"]["name"])


def key_of(resource: str, obj: Obj) -> Key:
    """The key of an object in the store."""
    return resource, namespace_of(obj), name_of(obj)


def labels_of(obj: Obj) -> dict[str, str]:
    """The labels."""
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Obj) -> dict[str, str]:
    """The annotations."""
    return obj["metadata"].get("annotations") or {}


def containers_of(spec: Obj) -> list[Obj]:
    """The containers of a pod spec, in the order in which they start."""
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def lookup(obj: object, path: str) -> Any:
    """The value at a dotted path, or None where any part is missing."""
    for part in path.split("."):
        if not isinstance(obj, dict):
            return None
        obj = obj.get(part)
    return obj


def _with(obj: Obj, part: str, fields: Obj) -> Obj:
    merged = {**(obj.get(part) or {}), **fields}
    return {**obj, part: {key: value for key, value in merged.items() if value is not None}}


def with_metadata(obj: Obj, **fields: Any) -> Obj:
    """The object with these metadata fields set; a field given as None is left out."""
    return _with(obj, "metadata", fields)


def with_status(obj: Obj, **fields: Any) -> Obj:
    """The object with these status fields set; a field given as None is left out."""
    return _with(obj, "status", fields)


def without_finalizer(obj: Obj, finalizer: str) -> Obj:
    """The object without one of its finalizers."""
    left = [one for one in obj["metadata"].get("finalizers") or () if one != finalizer]
    return with_metadata(obj, finalizers=left or None)


def deleting(obj: Obj) -> bool:
    """Whether deletion was asked for."""
    return "deletionTimestamp" in obj["metadata"]


def finished(pod: Obj) -> bool:
    """Whether the pod has ended for good."""
    return lookup(pod, "status.phase") in ("Succeeded", "Failed")


def controller_of(obj: Obj) -> Obj:
    """The owner reference that says controller: true; empty when there is none."""
    owners = obj["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), {})


def reference(obj: Obj) -> Obj:
    """What an owner reference or an event says of its object."""
    return {key: obj[key] for key in ("apiVersion", "kind")} | {
        key: obj["metadata"][key] for key in ("name", "uid")
    }


def condition(obj: Obj, kind: str) -> Obj:
    """The condition of that type; empty when there is none."""
    return next((one for one in lookup(obj, "status.conditions") or () if one["type"] == kind), {})


def is_true(obj: Obj, kind: str) -> bool:
    """Whether the condition of that type is True."""
    return condition(obj, kind).get("status") == "True"


def set_condition(
    conditions: Sequence[Obj] | None, kind: str, status: bool, reason: str = "", message: str = ""
) -> list[Obj]:
    """The conditions with one replaced or appended; the transition time moves only with the status."""
    known = list(conditions or ())
    place = next((n for n, old in enumerate(known) if old["type"] == kind), len(known))
    old = known[place] if place < len(known) else {}
    since = old["lastTransitionTime"] if old.get("status") == str(status) else now()
    return [*known[:place], _condition(kind, str(status), since, reason, message), *known[place + 1 :]]


@lru_cache(maxsize=1024)
def _condition(kind: str, status: str, since: str, reason: str, message: str) -> Obj:
    """A condition; the many pods that say the same share it."""
    entry: Obj = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": since}
    return entry | ({"reason": reason} if reason else {}) | ({"message": message} if message else {})

"""What every Kubernetes object has in common: metadata, owners, conditions, times and quantities.

Stored objects are shared between the store, the watch history and the controllers, and the pods of one Job
share their spec: an object is never changed in place, a changed one is a new dictionary along the changed
path.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

Obj = dict[str, Any]

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


def seconds(timestamp: str) -> float:
    """A timestamp of the API as seconds since the epoch."""
    moment = datetime.fromisoformat(timestamp)
    if moment.tzinfo is None:
        raise ValueError(f"{timestamp!r} has no time zone")
    return moment.timestamp()


@lru_cache(maxsize=256)
def at(epoch: float) -> str:
    """Seconds since the epoch as the API writes them."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def namespace_of(obj: Obj) -> str:
    """The namespace, or "" for what has none."""
    return str(obj["metadata"].get("namespace", ""))


def name_of(obj: Obj) -> str:
    """The name."""
    return str(obj["metadata"]["name"])


def labels_of(obj: Obj) -> dict[str, str]:
    """The labels."""
    return obj["metadata"].get("labels") or {}


def lookup(obj: object, path: str) -> Any:
    """The value at a dotted path, or None where any part is missing."""
    for part in path.split("."):
        if not isinstance(obj, dict):
            return None
        obj = obj.get(part)
    return obj


def with_metadata(obj: Obj, **fields: Any) -> Obj:
    """The object with these metadata fields set; a field given as None is left out."""
    merged = {**obj["metadata"], **fields}
    return {**obj, "metadata": {key: value for key, value in merged.items() if value is not None}}


def with_status(obj: Obj, **fields: Any) -> Obj:
    """The object with these status fields set; a field given as None is left out."""
    merged = {**(obj.get("status") or {}), **fields}
    return {**obj, "status": {key: value for key, value in merged.items() if value is not None}}


def deleting(obj: Obj) -> bool:
    """Whether deletion was asked for."""
    return "deletionTimestamp" in obj["metadata"]


def controller_of(obj: Obj) -> Obj | None:
    """The owner reference that says controller: true."""
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return dict(owner)
    return None


def owned_by(owner: Obj) -> list[Obj]:
    """The ownerReferences of what a controller makes for its object."""
    return [
        {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": name_of(owner),
            "uid": owner["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def condition(obj: Obj, kind: str) -> Obj | None:
    """The condition of that type."""
    for entry in (obj.get("status") or {}).get("conditions") or ():
        if entry["type"] == kind:
            return cast(Obj, entry)
    return None


def is_true(obj: Obj, kind: str) -> bool:
    """Whether the condition of that type is True."""
    found = condition(obj, kind)
    return found is not None and found["status"] == "True"


def set_condition(
    conditions: Sequence[Obj],
    kind: str,
    status: bool,
    reason: str = "",
    message: str = "",
    heartbeat: str = "",
) -> list[Obj]:
    """The conditions with one replaced or appended; the transition time moves only with the status."""
    result, since = [], now()
    for old in conditions:
        if old["type"] == kind and old["status"] == str(status):
            since = old["lastTransitionTime"]
    entry = _condition(kind, str(status), since, reason, message, heartbeat)
    for old in conditions:
        result.append(entry if old["type"] == kind else old)
    return result if entry in result else [*result, entry]


@lru_cache(maxsize=1024)
def _condition(kind: str, status: str, since: str, reason: str, message: str, heartbeat: str) -> Obj:
    """A condition; the many pods that say the same share it."""
    entry: Obj = {"type": kind, "status": status, "lastTransitionTime": since}
    entry |= {"lastHeartbeatTime": heartbeat} if heartbeat else {"lastProbeTime": None}
    return entry | ({"reason": reason} if reason else {}) | ({"message": message} if message else {})


def finished(pod: Obj) -> bool:
    """Whether the pod has ended for good."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")

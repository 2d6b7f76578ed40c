"""What every Kubernetes object has in common: metadata, owners, conditions, times and quantities."""

import base64
import re
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

Json = dict[str, Any]
Key = tuple[str, str, str]  # resource, namespace ("" for none) and name
Amounts = dict[str, float]  # of resources, by name

encode = msgspec.json.encode
"""Compact JSON."""

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?)")
_SUFFIX = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_SUFFIX |= {f"{s}i": 1024.0**n for n, s in enumerate("KMGTPE", 1)}


def lookup(obj: object, path: str) -> Any:
    """Return the value at a dotted path, or None where any part is missing."""
    for part in path.split("."):
        if not isinstance(obj, dict):
            return None
        obj = obj.get(part)
    return obj


class Obj(Json):
    """An object of the API.

    The store, the watch history and the controllers share it, and the pods of one Job share their spec. So it
    is never changed in place: a change makes a new object along the changed path.
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        return str(self["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """The namespace, or "" without one."""
        return str(self["metadata"].get("namespace", ""))

    @property
    def uid(self) -> str:
        return str(self["metadata"]["uid"])

    @property
    def revision(self) -> int:
        """Its resourceVersion."""
        return int(self["metadata"]["resourceVersion"])

    @property
    def labels(self) -> dict[str, str]:
        return self["metadata"].get("labels") or {}

    @property
    def annotations(self) -> dict[str, str]:
        return self["metadata"].get("annotations") or {}

    @property
    def finalizers(self) -> list[str]:
        return self["metadata"].get("finalizers") or []

    @property
    def owners(self) -> list[Json]:
        return self["metadata"].get("ownerReferences") or []

    @property
    def controller(self) -> Json:
        """The owner reference that says controller: true; empty when there is none."""
        return next((owner for owner in self.owners if owner.get("controller")), {})

    @property
    def reference(self) -> Json:
        """What an owner reference or an event says of its object."""
        named = {"apiVersion": self["apiVersion"], "kind": self["kind"]}
        return named | {"name": self.name, "uid": self.uid}

    @property
    def deleting(self) -> bool:
        return "deletionTimestamp" in self["metadata"]

    @property
    def finished(self) -> bool:
        """Whether this pod has ended for good."""
        return (self.get("status") or {}).get("phase") in ("Succeeded", "Failed")

    @property
    def container_statuses(self) -> list[Json]:
        """Of this pod, in the order in which its containers start."""
        kinds = ("initContainerStatuses", "containerStatuses")
        return [one for kind in kinds for one in self.at(f"status.{kind}") or ()]

    def key(self, resource: str) -> Key:
        return resource, self.namespace, self.name

    def at(self, path: str) -> Any:
        """Return the value at a dotted path, or None where any part is missing."""
        return lookup(self, path)

    def replaced(self, **parts: Any) -> "Obj":
        """Return the object with these parts in place of its own."""
        return Obj({**self, **parts})

    def with_metadata(self, **fields: Any) -> "Obj":
        """Return the object with these metadata fields set; None removes a field."""
        return self._with("metadata", fields)

    def with_status(self, **fields: Any) -> "Obj":
        """Return the object with these status fields set; None removes a field."""
        return self._with("status", fields)

    def _with(self, part: str, fields: Json) -> "Obj":
        merged = {**(self.get(part) or {}), **fields}
        for key in [key for key, value in fields.items() if value is None]:
            del merged[key]
        return self.replaced(**{part: merged})

    def without_finalizer(self, finalizer: str) -> "Obj":
        return self.with_metadata(finalizers=[one for one in self.finalizers if one != finalizer] or None)

    def condition(self, kind: str) -> Json:
        """Return the condition of that type; empty when there is none."""
        return next((one for one in self.at("status.conditions") or () if one["type"] == kind), {})

    def is_true(self, kind: str) -> bool:
        return self.condition(kind).get("status") == "True"

    def with_condition(self, kind: str, status: bool, reason: str = "", message: str = "") -> "Obj":
        """Return the object with one condition replaced or appended; its time moves only with its status."""
        old, known = self.condition(kind), list(self.at("status.conditions") or ())
        since = old["lastTransitionTime"] if old.get("status") == str(status) else now()
        place = known.index(old) if old else len(known)
        known[place : place + 1] = [_condition(kind, str(status), since, reason, message)]
        return self.with_status(conditions=known)


@lru_cache(maxsize=1024)
def _condition(kind: str, status: str, since: str, reason: str, message: str) -> Json:
    """Return a condition; the many pods with the same one share it."""
    entry: Json = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": since}
    return entry | ({"reason": reason} if reason else {}) | ({"message": message} if message else {})


def containers_of(spec: Json) -> list[Json]:
    """Return the containers of a pod spec, in the order in which they start."""
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def amounts_of(spec: Json, kind: str) -> Amounts:
    """Return the requests or limits of a pod: the largest sum of containers that run beside each other."""
    groups: list[list[Json]] = []
    sidecars: list[Json] = []
    for one in spec.get("initContainers") or ():
        groups.append([*sidecars, one])
        if one.get("restartPolicy") == "Always":
            sidecars.append(one)
    groups.append([*sidecars, *spec["containers"]])
    amounts = [[lookup(one, f"resources.{kind}") or {} for one in group] for group in groups]
    names = sorted({name for group in amounts for one in group for name in one})
    return {
        name: max(sum(quantity(one.get(name, 0)) for one in group) for group in amounts) for name in names
    }


def contents_of(obj: Json) -> dict[str, bytes]:
    """Return the content of a ConfigMap or Secret, by key."""
    contents = {key: base64.b64decode(text) for key, text in (obj.get("binaryData") or {}).items()}
    for key, text in (obj.get("data") or {}).items():
        contents[key] = base64.b64decode(text) if obj["kind"] == "Secret" else text.encode()
    return contents


@lru_cache(maxsize=4096, typed=True)
def quantity(text: object) -> float:
    """Return the value of a Kubernetes quantity ("900m", "6Gi", 2); raise ValueError for another text."""
    match = _QUANTITY.fullmatch(str(text))
    if match is None or isinstance(text, bool):
        raise ValueError(f"{text!r} is no quantity such as 500m, 2 or 6Gi")
    number, exponent, suffix = match.groups()
    return float(number + (exponent or "")) * _SUFFIX.get(suffix or "", 1.0)


def now() -> str:
    """Return the time in the API's form."""
    return at(int(time.time()))


@lru_cache(maxsize=256)
def at(epoch: int) -> str:
    """Return seconds since the epoch in the API's form."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(timestamp: str) -> float:
    """Return a timestamp of the API as seconds since the epoch; raise ValueError."""
    moment = datetime.fromisoformat(timestamp)
    if moment.tzinfo is None:
        raise ValueError(f"{timestamp!r} has no time zone")
    return moment.timestamp()

"""What every Kubernetes object has in common: metadata, owners, conditions, times and quantities."""

import base64
import re
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

Json = dict[str, Any]
Key = tuple[str, str, str]  # resource, namespace ("" for none) and name
Amounts = dict[str, float]  # of resources, by name

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?)")
_SUFFIX = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_SUFFIX |= {f"{s}i": 1024.0**n for n, s in enumerate("KMGTPE", 1)}


def lookup(obj: object, path: str) -> Any:
    """The value at a dotted path, or None where any part is missing."""
    for part in path.split("."):
        if not isinstance(obj, dict):
            return None
        obj = obj.get(part)
    return obj


class Obj(Json):
    """An object of the API.

    It is shared between the store, the watch history and the controllers, and the pods of one Job share their
    spec: it is never changed in place, a changed one is a new one along the changed path.
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        return str(self["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """The namespace, or "" for what has none."""
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
        """Whether deletion was asked for."""
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
        """Its key in the store."""
        return resource, self.namespace, self.name

    def at(self, path: str) -> Any:
        """The value at a dotted path, or None where any part is missing."""
        return lookup(self, path)

    def replaced(self, **parts: Any) -> "Obj":
        """The object with these parts in place of its own."""
        return Obj({**self, **parts})

    def with_metadata(self, **fields: Any) -> "Obj":
        """The object with these metadata fields set; a field given as None is left out."""
        return self._with("metadata", fields)

    def with_status(self, **fields: Any) -> "Obj":
        """The object with these status fields set; a field given as None is left out."""
        return self._with("status", fields)

    def _with(self, part: str, fields: Json) -> "Obj":
        merged = {**(self.get(part) or {}), **fields}
        return self.replaced(**{part: {key: value for key, value in merged.items() if value is not None}})

    def without_finalizer(self, finalizer: str) -> "Obj":
        """The object without one of its finalizers."""
        return self.with_metadata(finalizers=[one for one in self.finalizers if one != finalizer] or None)

    def condition(self, kind: str) -> Json:
        """The condition of that type; empty when there is none."""
        return next((one for one in self.at("status.conditions") or () if one["type"] == kind), {})

    def is_true(self, kind: str) -> bool:
        """Whether the condition of that type is True."""
        return self.condition(kind).get("status") == "True"

    def with_condition(self, kind: str, status: bool, reason: str = "", message: str = "") -> "Obj":
        """The object with one condition replaced or appended; its time moves only with its status."""
        old, known = self.condition(kind), list(self.at("status.conditions") or ())
        since = old["lastTransitionTime"] if old.get("status") == str(status) else now()
        place = known.index(old) if old else len(known)
        known[place : place + 1] = [_condition(kind, str(status), since, reason, message)]
        return self.with_status(conditions=known)


@lru_cache(maxsize=1024)
def _condition(kind: str, status: str, since: str, reason: str, message: str) -> Json:
    """A condition; the many pods that say the same share it."""
    entry: Json = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": since}
    return entry | ({"reason": reason} if reason else {}) | ({"message": message} if message else {})


def containers_of(spec: Json) -> list[Json]:
    """The containers of a pod spec, in the order in which they start."""
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def amounts_of(spec: Json, kind: str) -> Amounts:
    """The requests or limits of a pod: the sum of its containers, or one init container that has more."""
    main, *alone = (
        [lookup(one, f"resources.{kind}") or {} for one in group]
        for group in (spec["containers"], *([one] for one in spec.get("initContainers") or ()))
    )
    names = sorted({name for group in (main, *alone) for one in group for name in one})
    return {
        name: max(sum(quantity(one.get(name, 0)) for one in group) for group in (main, *alone))
        for name in names
    }


def contents_of(obj: Json) -> dict[str, bytes]:
    """What a ConfigMap or Secret holds, by key."""
    contents = {key: base64.b64decode(text) for key, text in (obj.get("binaryData") or {}).items()}
    for key, text in (obj.get("data") or {}).items():
        contents[key] = base64.b64decode(text) if obj["kind"] == "Secret" else text.encode()
    return contents


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

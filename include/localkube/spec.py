"""The shape of a cluster, as asked for over the admin API."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from localkube.errors import ApiError, bad_request
from localkube.objects import Obj, quantity
from localkube.validation import LABEL_RULE, is_dns_label

_MOST_NODES = 5000


@dataclass(frozen=True)
class ClusterSpec:
    """Nodes of one size each; simulate is {"seconds", "failureRate"} for nodes that run nothing."""

    name: str
    nodes: int = 1
    cpu: str = "2"
    memory: str = "4Gi"
    pods: int = 110
    labels: dict[str, str] = field(default_factory=dict)
    simulate: dict[str, float] | None = None

    @classmethod
    def parse(cls, document: object) -> ClusterSpec:
        """Check a request; raises ApiError 400 that names the field and what is allowed."""
        if not isinstance(document, dict):
            raise bad_request(
                "a cluster is a JSON object with name, nodes, cpu, memory, pods, labels, simulate"
            )
        if unknown := set(document) - set(cls.__dataclass_fields__):
            raise bad_request(
                f"unknown field {', '.join(sorted(unknown))}; allowed: {', '.join(cls.__dataclass_fields__)}"
            )
        if not is_dns_label(document.get("name")):
            raise bad_request(f"name: {document.get('name')!r}: {LABEL_RULE}")
        for name, most in (("nodes", _MOST_NODES), ("pods", 1_000_000)):
            value = document.get(name, 1)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise bad_request(f"{name}: {value!r}: must be a whole number from 1 to {most}")
        sizes = {
            name: str(document.get(name, cls.__dataclass_fields__[name].default))
            for name in ("cpu", "memory")
        }
        for name, text in sizes.items():
            try:
                quantity(text)
            except ValueError as error:
                raise bad_request(f"{name}: {error}") from None
        labels = document.get("labels") or {}
        if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
            raise bad_request(f"labels: {labels!r}: must be an object of strings")
        return cls(
            **{**document, **sizes, "labels": labels, "simulate": _simulation(document.get("simulate"))}
        )

    def document(self) -> Obj:
        return asdict(self)

    def check_same(self, other: ClusterSpec) -> None:
        """Raise ApiError 409 naming what differs, if anything does."""
        mine, theirs = self.document(), other.document()
        differing = [
            f"{key} is {mine[key]!r}, not {theirs[key]!r}" for key in mine if mine[key] != theirs[key]
        ]
        if differing:
            raise ApiError(
                409,
                "AlreadyExists",
                f"cluster {self.name} exists with another shape: {'; '.join(differing)}",
                {"name": self.name, "kind": "clusters"},
            )


def _simulation(given: object) -> dict[str, float] | None:
    if given is None:
        return None
    if not isinstance(given, dict) or set(given) - {"seconds", "failureRate"}:
        raise bad_request(f"simulate: {given!r}: must be null or an object with seconds and failureRate")
    result = {"seconds": given.get("seconds", 1.0), "failureRate": given.get("failureRate", 0.0)}
    for name, value in result.items():
        most = 1.0 if name == "failureRate" else 1e6
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= most:
            raise bad_request(f"simulate.{name}: {value!r}: must be a number from 0 to {most:g}")
    return {name: float(value) for name, value in result.items()}

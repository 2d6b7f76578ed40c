"""The shape of a cluster, as asked for over the admin API."""

from typing import Annotated, Self

import msgspec
from msgspec import Meta

from localkube.objects.errors import ApiError
from localkube.objects.object import Json, quantity


class Simulate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the pods of simulated nodes run."""

    seconds: Annotated[float, Meta(ge=0, le=1e6)] = 1.0


class ClusterSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nodes of one size; with simulate they run no processes."""

    name: Annotated[str, Meta(pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
    nodes: Annotated[int, Meta(ge=1, le=5000)] = 1
    cpu: str = "2"
    memory: str = "4Gi"
    pods: Annotated[int, Meta(ge=1, le=1_000_000)] = 110
    labels: dict[str, str] = {}
    simulate: Simulate | None = None

    def __post_init__(self) -> None:
        for field in ("cpu", "memory"):
            try:
                quantity(getattr(self, field))
            except ValueError as error:
                raise ValueError(f"{field}: {error}") from None

    @property
    def node_names(self) -> list[str]:
        return [f"{self.name}-node-{number}" for number in range(self.nodes)]

    @classmethod
    def parse(cls, document: object) -> Self:
        """Check a request; raises ApiError 400 that names the field and what is allowed."""
        try:
            return msgspec.convert(document, cls)
        except msgspec.ValidationError as error:
            allowed = ", ".join(cls.__struct_fields__)
            raise ApiError(400, f"a cluster is an object with {allowed}: {error}") from None

    def document(self) -> Json:
        return dict(msgspec.to_builtins(self))

    def check_same(self, other: Self) -> None:
        """Raise ApiError 409 naming what differs, if anything does."""
        pairs = [(key, value, getattr(other, key)) for key, value in msgspec.structs.asdict(self).items()]
        differing = [f"{key} is {mine!r}, not {asked!r}" for key, mine, asked in pairs if mine != asked]
        if differing:
            message = f"cluster {self.name} exists with another shape: {'; '.join(differing)}"
            raise ApiError(409, message, "AlreadyExists", name=self.name, kind="clusters")

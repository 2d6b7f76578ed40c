"""What the triggers have in common: the cluster's part of the run, and how Airflow keeps them."""

from typing import Any, ClassVar

from airflow.triggers.base import BaseTrigger

from higgsdemo.clusters import provider_of
from higgsdemo.run import ClusterRun


class ClusterRunTrigger(BaseTrigger):
    """Wait for something in, or of, a cluster.

    :param assignment: a ClusterRun as JSON.
    :param poll_seconds: pause between two polls.
    :param deadline: when to give up (seconds since 1970); None for never.
    """

    kept: ClassVar[tuple[str, ...]] = ("poll_seconds", "deadline")
    """The attributes that are arguments of the same name, from which the triggerer recreates it."""

    def __init__(self, assignment: dict[str, Any], poll_seconds: float, deadline: float | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._document, self.poll_seconds, self.deadline = assignment, poll_seconds, deadline
        self.assignment = ClusterRun.read(assignment)
        self.provider = provider_of(self.assignment)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {"assignment": self._document} | {name: getattr(self, name) for name in self.kept}

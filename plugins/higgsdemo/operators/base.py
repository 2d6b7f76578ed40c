"""What the tasks of the cluster group have in common: their cluster, their stage, and how they fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from higgsdemo.run import ClusterRun, Stage

if TYPE_CHECKING:
    from higgsdemo.clusters import Provider
    from higgsdemo.kube import KubeCluster
    from higgsdemo.storage import ObjectStore


class TaskFailed(AirflowException):
    """A task has failed for a reason that its message tells whole."""


class TaskFailedForGood(AirflowFailException):
    """A task has failed for a reason that its message tells whole, and that no retry can change."""


@contextmanager
def told() -> Iterator[None]:
    """Let the errors that explain themselves end the task without the chain of their causes."""
    from higgsdemo.clusters import ClusterError
    from higgsdemo.kube import KubeError
    from higgsdemo.shards import ListingError
    from higgsdemo.storage import StorageError

    try:
        yield
    except (ClusterError, KubeError, ListingError, StorageError) as error:
        raise TaskFailed(str(error)) from None


class ClusterOperator(BaseOperator):
    """A task of the cluster group.

    :param assignment: a ClusterRun as JSON, an element of what ``plan`` returns.
    """

    template_fields: Sequence[str] = ("assignment",)
    stage: ClassVar[Stage]

    def __init__(self, *, assignment: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.assignment = assignment

    def begin(self) -> ClusterRun:
        """Return the assignment.

        :raises AirflowSkipException: when the run leaves this task's stage out.
        """
        assignment = ClusterRun.model_validate(self.assignment)
        if self.stage not in assignment.run.stages:
            raise AirflowSkipException(f"this run has no stage {self.stage!r}")
        return assignment


def provider_of(assignment: ClusterRun) -> Provider:
    """Return the provider of the assignment's cluster."""
    from higgsdemo import clusters

    return clusters.provider_of(assignment)


def connect(assignment: ClusterRun) -> KubeCluster:
    """Return the assignment's cluster, connected."""
    from higgsdemo.kube import KubeCluster

    cluster = assignment.cluster
    return KubeCluster(cluster.name, cluster.namespace, provider_of(assignment).connect())


def output_store(assignment: ClusterRun) -> ObjectStore:
    """Return the run's folder in the output bucket."""
    from higgsdemo.storage import ObjectStore

    return ObjectStore(assignment.run.output, assignment.run.output_connection)


def check(event: dict[str, Any] | None) -> dict[str, Any]:
    """Return a trigger's payload.

    :raises TaskFailed: when the trigger had to give up.
    """
    payload = event or {"error": "the trigger ended without an event"}
    if "error" in payload:
        raise TaskFailed(payload["error"])
    return payload

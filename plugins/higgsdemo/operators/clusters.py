"""``create_cluster`` and ``delete_clusters``: a cluster's life, waited for outside the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.exceptions import AirflowSkipException

from higgsdemo.operators.base import ClusterOperator, check, provider_of, told
from higgsdemo.run import ClusterRun, Stage

if TYPE_CHECKING:
    from airflow.sdk import Context


class CreateClusterOperator(ClusterOperator):
    """Create the cluster and wait until it runs; one that is there with the same shape is adopted."""

    stage: ClassVar[Stage] = "create"

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask the provider for the cluster; defer until it runs."""
        assignment = self.begin()
        with told():
            provider = provider_of(assignment)
            provider.create()
            self._wait_unless(provider.phase(), "running", provider.poll_seconds)
        return self._created(assignment)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Go on once the trigger has seen the cluster run."""
        check(event)
        return self._created(ClusterRun.model_validate(self.assignment))

    def _wait_unless(self, phase: str, wanted: str, poll_seconds: float) -> None:
        from higgsdemo.triggers.cluster import ClusterTrigger

        if phase != wanted:
            trigger = ClusterTrigger(self.assignment, wanted, poll_seconds)
            self.defer(trigger=trigger, method_name="execute_complete")

    def _created(self, assignment: ClusterRun) -> dict[str, Any]:
        cluster = assignment.cluster
        self.log.info("cluster %s runs (%s)", cluster.name, cluster.provider)
        return {"cluster_name": cluster.name, "provider": cluster.provider}


class DeleteClusterOperator(CreateClusterOperator):
    """Delete the cluster, if this campaign made it, and wait until it is gone."""

    stage: ClassVar[Stage] = "cleanup"

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask the provider to delete the cluster; defer until it is gone."""
        assignment = self.begin()
        if assignment.run.cleanup != "clusters":
            raise AirflowSkipException(f"cleanup is {assignment.run.cleanup!r}: the cluster stays")
        with told():
            provider = provider_of(assignment)
            if not provider.delete():
                raise AirflowSkipException(f"there is no cluster {assignment.cluster.name} of ours to delete")
            self._wait_unless(provider.phase(), "absent", provider.poll_seconds)
        return self._deleted(assignment)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Go on once the trigger has seen the cluster gone."""
        check(event)
        return self._deleted(ClusterRun.model_validate(self.assignment))

    def _deleted(self, assignment: ClusterRun) -> dict[str, Any]:
        self.log.info("cluster %s is gone", assignment.cluster.name)
        return {"cluster_name": assignment.cluster.name}

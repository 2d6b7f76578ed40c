"""``create_cluster`` and ``delete_clusters``: a cluster's life, waited for outside the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.exceptions import AirflowSkipException

from higgsdemo.links import ClusterLink
from higgsdemo.operators.base import (
    ClusterOperator,
    TaskFailed,
    assigned,
    check,
    end_of,
    provider_of,
    told,
)
from higgsdemo.run import ClusterRun, Stage

if TYPE_CHECKING:
    from airflow.sdk import Context

    from higgsdemo.clusters import Provider, State


class LifeOperator(ClusterOperator):
    """Bring a cluster from one end of its life to the other, step by step, waiting in between."""

    def defer_while_busy(self, provider: Provider, state: State, deadline: float | None = None) -> None:
        """Defer to ``execute_complete``, until the provider has no more to do of itself.

        :raises TaskFailed: when the cluster has failed.
        """
        from higgsdemo.clusters import Phase
        from higgsdemo.triggers.cluster import ClusterTrigger

        if state.phase == Phase.FAILED:
            raise TaskFailed(f"cluster {provider.cluster.name} has failed: {state.detail}")
        trigger = ClusterTrigger(self.assignment, provider.poll_seconds, deadline)
        self.defer(trigger=trigger, method_name="execute_complete")


class CreateClusterOperator(LifeOperator):
    """Create the cluster and wait until it runs; one that is there with the same shape is adopted."""

    operator_extra_links = (ClusterLink(),)
    stage: ClassVar[Stage] = "create"

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask the provider for the cluster; defer until it runs."""
        return self._step(self.begin(context), context)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Go on with the next part, or with the cluster that runs."""
        check(event)
        return self._step(assigned(self.assignment), context)

    def _step(self, assignment: ClusterRun, context: Context) -> dict[str, Any]:
        cluster = assignment.cluster
        with told():
            provider = provider_of(assignment)
            provider.create()
            state = provider.state()
        if not state.runs:
            self.defer_while_busy(provider, state, end_of(assignment, context))
        self.log.info("cluster %s runs (%s)", cluster.name, cluster.provider)
        return {"cluster_name": cluster.name, "provider": cluster.provider}


class DeleteClusterOperator(LifeOperator):
    """Delete the cluster, if this campaign made it, and wait until it is gone."""

    stage: ClassVar[Stage] = "cleanup"

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask the provider to delete the cluster; defer until it is gone."""
        assignment = self.begin(context)
        if assignment.run.cleanup != "clusters":
            raise AirflowSkipException(f"cleanup is {assignment.run.cleanup!r}: the cluster stays")
        if not self._step(assignment):
            raise AirflowSkipException(f"there is no cluster {assignment.cluster.name} of ours to delete")
        return self._deleted(assignment)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Go on with what is left of the cluster, or end when nothing is."""
        check(event)
        assignment = assigned(self.assignment)
        self._step(assignment)
        return self._deleted(assignment)

    def _step(self, assignment: ClusterRun) -> bool:
        """Delete what can be deleted now, and defer while something is left.

        :returns: whether there was anything of ours.
        """
        from higgsdemo.clusters import Phase

        with told():
            provider = provider_of(assignment)
            if not provider.delete():
                return False
            state = provider.state()
        if state.phase != Phase.ABSENT:
            self.defer_while_busy(provider, state)
        return True

    def _deleted(self, assignment: ClusterRun) -> dict[str, Any]:
        self.log.info("cluster %s is gone", assignment.cluster.name)
        return {"cluster_name": assignment.cluster.name}

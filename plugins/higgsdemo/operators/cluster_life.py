"""``create_cluster`` and ``delete_clusters``: a cluster's life, without holding a worker."""

import time
from collections.abc import Callable
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from higgsdemo import tasks
from higgsdemo.clusters import Phase, provider_of
from higgsdemo.links import ClusterLink
from higgsdemo.operators.base import TaskFailed, check, end_of, fail_in_words, other_run, read_assignment
from higgsdemo.operators.created import forget, is_noted, note
from higgsdemo.operators.waiting import WaitingOperator
from higgsdemo.run import ClusterRun
from higgsdemo.wording import ExplainedError


class CreateClusterOperator(WaitingOperator):
    """Create the cluster and wait until it runs; adopt an existing one of the same shape."""

    operator_extra_links = (ClusterLink(),)
    stage = tasks.CREATE.stage

    def execute(self, context: Context) -> dict[str, Any]:
        """Record and request the cluster; defer until it runs."""
        assignment = self.begin(context)
        if provider_of(assignment).marks:
            note(assignment)
        return self._step(assignment, context)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Go on with the next part, or with the cluster that runs."""
        check(event)
        return self._step(read_assignment(self.assignment), context)

    def _step(self, assignment: ClusterRun, context: Context) -> dict[str, Any]:
        from higgsdemo.triggers.cluster import ClusterTrigger

        cluster = assignment.cluster
        with fail_in_words():
            provider = provider_of(assignment)
            provider.create()
            state = provider.state()
        if state.phase == Phase.FAILED:
            raise TaskFailed(f"cluster {cluster.name} has failed: {state.detail}")
        if not state.runs:
            trigger = ClusterTrigger(self.assignment, provider.poll_seconds, end_of(assignment, context))
            return self.wait(trigger, context)
        self.log.info("cluster %s runs (%s)", cluster.name, state.detail or cluster.provider)
        return {"cluster_name": cluster.name, "provider": cluster.provider}


def begin_deletion(assignment: ClusterRun, warn: Callable[..., None]) -> bool:
    """Begin to delete a cluster whose share is done, where the run deletes its clusters and no other uses it.

    Its nodes cost money while the other clusters work.

    :param warn: a logger's method; what cannot be deleted now is left to ``delete_clusters``.
    :returns: whether ``delete_clusters`` finds its deletion begun.
    """
    from higgsdemo.clusters.leftovers import others_at_work

    run = assignment.run
    if run.cleanup != "clusters" or tasks.DELETE.stage not in run.stages:
        return False
    try:
        provider = provider_of(assignment)
        return bool(provider.marks) and not others_at_work(assignment, run.name) and provider.delete()
    except ExplainedError as error:
        warn("%s; delete_clusters asks again", error)
        return False


class DeleteClusterOperator(WaitingOperator):
    """Delete the cluster, if this campaign made it and nobody else works on it, and wait until it is gone."""

    stage = tasks.DELETE.stage

    def execute(self, context: Context) -> dict[str, Any]:
        from higgsdemo.triggers.cluster import DELETED_IN, DeletionTrigger

        assignment = self.begin(context)
        if assignment.run.cleanup != "clusters":
            raise AirflowSkipException(f"cleanup is {assignment.run.cleanup!r}: the cluster stays")
        provider = provider_of(assignment)
        if not provider.marks:
            raise self._none_of_ours(assignment)
        waited = context["ti"].xcom_pull(task_ids=tasks.WAIT.task_id, map_indexes=context["ti"].map_index)
        begun = bool((waited or {}).get("deleting"))
        end = time.time() + DELETED_IN
        run, noted = self.ends_with_it(assignment, context), is_noted(assignment)
        trigger = DeletionTrigger(self.assignment, provider.poll_seconds, end, run, noted, begun)
        return self.wait(trigger, context)

    def ends_with_it(self, assignment: ClusterRun, context: Context) -> str | None:
        """Return the run whose Jobs end with the cluster; None for all of the campaign if it has no other."""
        return assignment.run.name if other_run(context) else None

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Remove the record of a cluster that is gone; say who else works on one that stays."""
        answer, assignment = check(event), read_assignment(self.assignment)
        name = assignment.cluster.name
        if others := answer.get("uses"):
            raise AirflowSkipException(f"cluster {name} stays: {', '.join(others)} uses it")
        forget(assignment)
        if not answer["deleted"]:
            raise self._none_of_ours(assignment)
        self.log.info("cluster %s is gone", name)
        return {"cluster_name": name}

    def _none_of_ours(self, assignment: ClusterRun) -> AirflowSkipException:
        return AirflowSkipException(f"there is no cluster {assignment.cluster.name} of ours to delete")

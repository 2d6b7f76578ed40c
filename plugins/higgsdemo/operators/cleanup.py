"""``choose_cleanup`` and ``campaign_status``: how a run ends."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLBranchOperator
from airflow.sdk import BaseOperator, Context

from higgsdemo import tasks
from higgsdemo.clusters import connect, provider_of
from higgsdemo.kubernetes.names import DATASET, PART_OF, PROJECT, selector
from higgsdemo.kubernetes.progress import job_progress
from higgsdemo.operators.base import TaskFailed, read_assignment
from higgsdemo.operators.created import is_noted
from higgsdemo.operators.kept import drop, key_of
from higgsdemo.reason import REASON, cause
from higgsdemo.run import ClusterRun
from higgsdemo.wording import ExplainedError

DELETE, KEEP = "Delete the clusters", "Keep them"
MOST_CAUSES = 10  # that are named
ANSWER_IN = timedelta(hours=1)  # then they are deleted: a cluster that nobody watches costs money


class ChooseCleanupOperator(HITLBranchOperator):
    """Follow ``keep`` or ``cleanup_jobs``, as the campaign says; ask before deleting clusters that work.

    A cluster that does not answer may have some. Scheduled runs do not ask: nobody may be there.
    """

    template_fields = (*HITLBranchOperator.template_fields, "assignments")

    def __init__(self, *, assignments: Any, **kwargs: Any) -> None:
        super().__init__(
            subject="Shards may still run. Delete their clusters?",
            options=[DELETE, KEEP],
            options_mapping={DELETE: tasks.CLEAN.task_id, KEEP: tasks.KEEP.task_id},
            defaults=DELETE,
            response_timeout=ANSWER_IN,
            **kwargs,
        )
        self.assignments = assignments

    def execute(self, context: Context) -> Any:
        """Choose one of the two, or wait for an answer."""
        assignments = list(map(read_assignment, self.assignments or []))
        run = assignments[0].run if assignments else None
        if run is None or run.cleanup == "none" or "cleanup" not in run.stages:
            return self.do_branch(context, tasks.KEEP.task_id)
        if run.cleanup == "clusters" and run.approve_delete and context["dag_run"].run_type == "manual":
            busy = [f"* {line}" for line in map(self._busy, assignments) if line]
            if busy:
                self.body = "\n".join([*busy, "", "Without an answer they are deleted after an hour."])
                return super().execute(context)
        return self.do_branch(context, tasks.CLEAN.task_id)

    def _busy(self, assignment: ClusterRun) -> str | None:
        """Say how many shards of any run still run on a cluster, or that nobody knows."""
        name = assignment.cluster.name
        try:
            provider = provider_of(assignment)
            if not provider.state().runs:
                return None
            everywhere = bool(provider.marks)  # only a cluster of ours ends with all of its namespaces
            jobs = connect(assignment).jobs(f"{PART_OF}={PROJECT},{DATASET}", everywhere=everywhere)
        except ExplainedError as error:
            self.log.warning("%s", error)
            return f"{name}: nobody knows whether shards run there: {error}"
        at_work = [job_progress(job) for job in jobs if not job["spec"].get("suspend")]
        shards = sum(one.running + one.pending for one in at_work if not one.finished)
        return f"{name}: {shards} shards" if shards else None


class CampaignStatusOperator(BaseOperator):
    """Fail the run when a task has failed, or too many results: cleanup, which runs after all, would hide it.

    Jobs that nobody has waited for to their end are stopped: Airflow never starts the trigger of a task that
    is marked in the second before, so that nothing else knows.
    """

    template_fields = ("merged", "assignments")

    def __init__(self, *, merged: Any, assignments: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.merged, self.assignments = merged, assignments

    def execute(self, context: Context) -> None:
        """Say what failed, where and why; and when somebody has ended the run: tasks were skipped then."""
        from higgsdemo.prediction import tell_nodes

        ti, dag_run = context["ti"], context["dag_run"]
        drop(key_of(dag_run.dag_id, dag_run.run_id))
        for stays in filter(is_noted, map(read_assignment, self.assignments or [])):
            self.log.warning("Cluster %s stays: %s", stays.cluster.name, tell_nodes(stays.cluster))
        found: dict[str, Any] = ti.get_task_states(dag_id=dag_run.dag_id, run_ids=[dag_run.run_id])
        states = found[dag_run.run_id]
        failed = sorted(task for task, state in states.items() if state == "failed")
        causes = [self._cause(ti, task) for task in failed[:MOST_CAUSES]]
        more = [f"{len(failed) - MOST_CAUSES} more tasks have failed"] if failed[MOST_CAUSES:] else []
        if told := [*causes, *more, *self._running_on(ti, states), *self._left(failed)]:
            raise TaskFailed("\n".join(told))
        if excess := (self.merged or {}).get("excess"):
            raise TaskFailed(f"{'; '.join(excess)}: {self.merged['summary']} says why")
        if states.get(tasks.CHOOSE.task_id) == "skipped":
            raise TaskFailed("the run was ended by hand before it was through; cleanup has been done")
        self.log.info("every task has done its part")

    def _cause(self, ti: Any, name: str) -> str:
        """Say why a task has failed, of a mapped one, as `submit_jobs_1`, on which cluster."""
        task, _, index = name.rpartition("_")
        if not index.isdigit():
            return cause(name, None, ti.xcom_pull(task_ids=name, key=REASON))
        cluster = read_assignment(self.assignments[int(index)]).cluster.name
        return cause(task, cluster, ti.xcom_pull(task_ids=task, key=REASON, map_indexes=int(index)))

    def _running_on(self, ti: Any, states: dict[str, Any]) -> Iterator[str]:
        """Stop Jobs whose wait returned nothing, and name the clusters where that is impossible."""
        for index, document in enumerate(self.assignments or []):
            assignment = read_assignment(document)
            run, name = assignment.run, assignment.cluster.name
            submitted = states.get(f"{tasks.SUBMIT.task_id}_{index}") in ("success", "failed")
            waited = ti.xcom_pull(task_ids=tasks.WAIT.task_id, map_indexes=index) is not None
            if waited or not submitted or run.on_cancel == "release":
                continue
            try:
                if provider_of(assignment).state().runs:
                    for job in connect(assignment).stop(selector(run.campaign, run.name)):
                        self.log.warning("cluster %s: Job %s is stopped: nobody waits for it", name, job)
            except ExplainedError as error:
                yield f"Cluster {name}: whether its Jobs still run is not known ({error})"

    def _left(self, failed: list[str]) -> Iterator[str]:
        """Name the clusters that could not be deleted, and what they cost."""
        from higgsdemo.prediction import tell_nodes

        for index, assignment in enumerate(self.assignments or []):
            if f"{tasks.DELETE.task_id}_{index}" in failed:
                cluster = read_assignment(assignment).cluster
                yield (
                    f"Cluster {cluster.name} is not deleted: {tell_nodes(cluster)}. Clear delete_clusters, "
                    "or run higgs_janitor with Remove"
                )

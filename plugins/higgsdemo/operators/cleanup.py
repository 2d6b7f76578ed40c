"""``choose_cleanup``, ``keep`` and ``campaign_status``: how a run ends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseBranchOperator, BaseOperator

from higgsdemo.operators.base import TaskFailed
from higgsdemo.run import ClusterRun

if TYPE_CHECKING:
    from airflow.sdk import Context


class ChooseCleanupOperator(BaseBranchOperator):
    """Follow ``keep`` or ``cleanup_jobs``, as the campaign says.

    :param assignments: what ``plan`` returned.
    """

    template_fields = ("assignments",)

    def __init__(self, *, assignments: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.assignments = assignments

    def choose_branch(self, context: Context) -> str | Iterable[str]:
        """Return the task to go on with."""
        if not self.assignments:
            return "keep"
        run = ClusterRun.model_validate(self.assignments[0]).run
        return "keep" if run.cleanup == "none" or "cleanup" not in run.stages else "cleanup_jobs"


class KeepOperator(BaseOperator):
    """Leave Jobs and clusters as they are."""

    def execute(self, context: Context) -> None:
        """Say how to remove them later."""
        self.log.info("Jobs and clusters stay; a run with the stage 'cleanup' removes them")


class CampaignStatusOperator(BaseOperator):
    """Fail the run when a task has failed: cleanup, which runs after failures too, would hide it."""

    def execute(self, context: Context) -> None:
        """Name the failed tasks."""
        ti, dag_run = context["ti"], context["dag_run"]
        states: dict[str, Any] = ti.get_task_states(dag_id=dag_run.dag_id, run_ids=[dag_run.run_id])
        failed = sorted(task for task, state in states[dag_run.run_id].items() if state == "failed")
        if failed:
            raise TaskFailed(f"failed: {', '.join(failed)}; their logs say why")
        self.log.info("every task has done its part")

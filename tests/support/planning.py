"""The task `plan` of a run of a campaign."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from higgsdemo.campaign import Campaign
from higgsdemo.operators.plan import PlanOperator
from higgsdemo.run import ClusterRun
from planned_runs import ALONE
from refusals import table

START = datetime(2019, 5, 21, 9, 0, tzinfo=UTC)

CONNECTIONS = table("connections")


def plan(
    campaign: Campaign, run_id: str = "manual__1", dag_id: str = "demo", **conf: Any
) -> list[ClusterRun]:
    """Return what the task returns of a run with this conf."""
    dag_run = SimpleNamespace(dag_id=dag_id, run_id=run_id, run_after=START, conf=conf)
    planned = PlanOperator(task_id="plan", campaign=campaign).execute({"dag_run": dag_run, "ti": ALONE})  # type: ignore[typeddict-item]
    assert json.loads(json.dumps(planned)) == planned
    return [ClusterRun.model_validate(assignment) for assignment in planned]

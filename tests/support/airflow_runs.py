"""Runs as Airflow's database would tell them."""

from datetime import UTC, datetime
from typing import Any

from higgsdemo.page.airflow_run import AirflowRun, RunState, TaskState
from planned_runs import dataset, planned

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TTBAR, HIGGS = "Simulated_TTbar_8TeV", "Simulated_SMHiggsToZZTo4L_8TeV"


def airflow_run(
    state: str = "running",
    tasks: dict[str, str | None] | None = None,
    listed: dict[str, dict[str, int]] | None = None,
    reasons: dict[str, str] | None = None,
    output: str = "s3://results/demo-local/one",
    **run: Any,
) -> AirflowRun:
    """Return a run of two clusters with one dataset each.

    `tasks` are states by task id, `[0]` for a mapped one; `reasons` are why they have failed, by the same.
    """
    refs = [
        dataset(TTBAR, sample="simulated_ttbar_8tev", datatype="mc", files=4),
        dataset(HIGGS, sample="simulated_smhiggstozzto4l_8tev", datatype="mc", files=4),
    ]
    fields = {"campaign": "demo-local", "catalogue": "demo", "output": output, **run}
    return AirflowRun(
        dag_id="demo-local",
        title="The demo",
        run=RunState("one", state, START, None if state == "running" else START),
        tasks=tuple(_task(name, state, (reasons or {}).get(name)) for name, state in (tasks or {}).items()),
        assignments=tuple(
            planned(fields, {"name": f"kubecon-demo-{i}", "datasets": [ref]}) for i, ref in enumerate(refs)
        ),
        listed=listed or {},
    )


def _task(name: str, state: str | None, reason: str | None) -> TaskState:
    task_id, _, index = name.rstrip("]").partition("[")
    return TaskState(task_id, int(index) if index else -1, state, reason)

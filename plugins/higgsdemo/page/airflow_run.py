"""A campaign's runs in Airflow's database: states of tasks, the plan, the listed shards.

Only this module reads Airflow's own tables, as the api-server's routes do; each request brings one of their
sessions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow.models.dag import DagModel, DagTag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, object_session

from higgsdemo import tasks
from higgsdemo.reason import REASON
from higgsdemo.run import ClusterRun, PlanError, run_name

TAG = "higgsdemo"  # the tag that `higgsdemo.dag` gives every campaign
ENDED = frozenset({"success", "failed"})
RUNS_SHOWN = 20


@dataclass(frozen=True)
class TaskState:
    """One task instance; `map_index` is -1 when it is not mapped, `state` None before it is scheduled.

    :param reason: why its last try has failed; None where unknown.
    """

    task_id: str
    map_index: int
    state: str | None
    reason: str | None = None


@dataclass(frozen=True)
class CampaignDag:
    """A campaign's DAG with its latest runs, the newest first."""

    dag_id: str
    title: str
    runs: tuple[RunState, ...]


@dataclass(frozen=True)
class RunState:
    """One DAG run."""

    run_id: str
    state: str
    started: datetime | None
    ended: datetime | None


@dataclass(frozen=True)
class AirflowRun:
    """One run of a campaign.

    :param assignments: what `plan` has returned; empty until it has.
    :param listed: shards by cluster and dataset, of the clusters that have listed theirs.
    """

    dag_id: str
    title: str
    run: RunState
    tasks: tuple[TaskState, ...]
    assignments: tuple[ClusterRun, ...]
    listed: dict[str, dict[str, int]]

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen, unless somebody clears a task."""
        return self.run.state in ENDED

    @property
    def merged(self) -> bool:
        """Whether the results are merged: the run's own files then have everything."""
        return any(task.task_id == tasks.MERGE.task_id and task.state == "success" for task in self.tasks)

    @property
    def clusters(self) -> list[str]:
        """Names of the clusters, in the order of the plan."""
        return [assignment.cluster.name for assignment in self.assignments]

    @property
    def datasets(self) -> set[str]:
        """Names of its datasets, whatever its lists say."""
        return {ref.name for assignment in self.assignments for ref in assignment.cluster.datasets}

    def waits(self, position: int) -> bool:
        """Whether the wait for the Jobs of a cluster, by its position in the plan, is still to end."""
        waits = {
            task.state
            for task in self.tasks
            if (task.task_id, task.map_index) == (tasks.WAIT.task_id, position)
        }
        return not self.ended and not waits & {"success", "failed", "skipped"}


def campaigns(session: Session, readable: Collection[str]) -> list[CampaignDag]:
    """Return the campaigns among the DAGs that the user may read, by title."""
    query = (
        select(DagModel)
        .join(DagTag, DagTag.dag_id == DagModel.dag_id)
        .where(DagTag.name == TAG, DagModel.dag_id.in_(readable), ~DagModel.is_stale)
    )
    found = [
        CampaignDag(dag.dag_id, dag.dag_display_name, _runs(session, dag.dag_id))
        for dag in session.scalars(query).unique()
    ]
    return sorted(found, key=lambda campaign: campaign.title)


def read_campaign(session: Session, dag_id: str) -> CampaignDag | None:
    """Return one campaign; None when there is no such DAG, or it is not ours."""
    tagged = select(DagTag.name).where(DagTag.dag_id == dag_id, DagTag.name == TAG)
    dag = session.get(DagModel, dag_id)
    if dag is None or session.scalar(tagged) is None:
        return None
    return CampaignDag(dag_id, dag.dag_display_name, _runs(session, dag_id))


def read_run(session: Session, campaign: CampaignDag, name: str) -> AirflowRun | None:
    """Return one run of a campaign, by its id in Airflow or the name of its folder; None for no run."""
    dag_id = campaign.dag_id
    run = next((one for one in session.scalars(_candidates(dag_id, name)) if name in _names(one)), None)
    if run is None:
        return None
    run_id = run.run_id
    columns = TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state
    instances = session.execute(
        select(*columns)
        .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
        .order_by(*columns)
    )
    plan: list[Any] = next(iter(_kept(session, dag_id, run_id, tasks.PLAN).values()), [])
    reasons = _kept(session, dag_id, run_id, key=REASON)
    return AirflowRun(
        dag_id=dag_id,
        title=campaign.title,
        run=_state(run),
        tasks=tuple(
            TaskState(task, index, state, reasons.get((task, index))) for task, index, state in instances
        ),
        assignments=_read_plan(plan),
        listed={
            value["cluster_name"]: {name: counts["shards"] for name, counts in value["datasets"].items()}
            for value in _kept(session, dag_id, run_id, tasks.LIST).values()
        },
    )


def _runs(session: Session, dag_id: str) -> tuple[RunState, ...]:
    query = select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.run_after.desc()).limit(RUNS_SHOWN)
    return tuple(map(_state, session.scalars(query)))


def _candidates(dag_id: str, name: str) -> Select[Any]:
    """Select the runs that may bear a name: the one with that id first, then the newest."""
    is_id = DagRun.run_id == name
    named = is_id | (DagRun.conf["run_name"].as_string() == name)
    with suppress(ValueError):  # of a run that was given no name, it tells the start
        start = datetime.strptime(f"{name[:15]}+0000", "%Y%m%dt%H%M%S%z")
        named |= DagRun.run_after.between(start, start + timedelta(seconds=1))
    order = is_id.desc(), DagRun.run_after.desc()
    return select(DagRun).where(DagRun.dag_id == dag_id, named).order_by(*order)


def _names(run: DagRun) -> tuple[Any, ...]:
    """Return the id of a run, and what its folder in the bucket may be called."""
    return run.run_id, run_name(run.run_id, run.run_after), (run.conf or {}).get("run_name")


def _read_plan(plan: list[Any]) -> tuple[ClusterRun, ...]:
    """Return the result of `plan`; nothing if this version of the project cannot read it."""
    try:
        return tuple(map(ClusterRun.read, plan))
    except PlanError:
        return ()


def _state(run: DagRun) -> RunState:
    return RunState(run.run_id, str(run.state), run.start_date, run.end_date)


def last_reason(run: DagRun) -> str | None:
    """Say why `campaign_status` has failed a run; None for any other run."""
    session = object_session(run)
    kept = _kept(session, run.dag_id, run.run_id, tasks.STATUS, REASON) if session else {}
    return kept.get((tasks.STATUS.task_id, -1))


def _kept(
    session: Session, dag_id: str, run_id: str, task: tasks.Task | None = None, key: str = "return_value"
) -> dict[tuple[str, int], Any]:
    """Return what tasks have left for others, by task and map index."""
    of = task.task_id if task else None
    query = XComModel.get_many(dag_ids=dag_id, run_id=run_id, key=key, task_ids=of)
    rows: Iterable[Any] = session.scalars(query.order_by(XComModel.map_index))
    return {(row.task_id, row.map_index): XComModel.deserialize_value(row) for row in rows}

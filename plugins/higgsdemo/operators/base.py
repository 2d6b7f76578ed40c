"""What the tasks of the cluster group share: their cluster, their stage, and how they fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from higgsdemo import deadline, tasks
from higgsdemo.run import ClusterRun
from higgsdemo.wording import ExplainedError

if TYPE_CHECKING:
    from higgsdemo.storage.object_store import ObjectStore

ENDED = {"success", "failed", "skipped", "upstream_failed", "removed"}


class TaskFailed(AirflowException):
    """A task has failed for the reason in its message."""


class TaskFailedForGood(AirflowFailException):
    """A task has failed for the reason in its message, and no retry can change that."""


def most_mapped() -> int:
    """Return the largest number of instances that Airflow makes of a mapped task."""
    from airflow.sdk.configuration import conf

    return int(conf.getint("core", "max_map_length", fallback=1024))


@contextmanager
def fail_in_words() -> Iterator[None]:
    """End the task with the message of an error that explains itself, without its chain of causes."""
    try:
        yield
    except ExplainedError as error:
        raise (TaskFailedForGood if error.final else TaskFailed)(str(error)) from None


class ClusterOperator(BaseOperator):
    """A task of the cluster group.

    :param assignment: a ClusterRun as JSON, an element of what ``plan`` returns.
    """

    template_fields: Sequence[str] = ("assignment",)
    stage: ClassVar[tasks.Stage | None]
    ui_color = "#d6e8fb"

    def __init__(self, *, assignment: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.assignment = assignment

    def begin(self, context: Context) -> ClusterRun:
        """Return the assignment.

        :raises AirflowSkipException: when the run leaves this task's stage out, or the cluster has no shards.
        :raises TaskFailedForGood: when the run has no time left.
        """
        assignment = read_assignment(self.assignment)
        if self.stage not in assignment.run.stages:
            raise AirflowSkipException(f"this run has no stage {self.stage!r}")
        if self.stage != "cleanup":
            if not assignment.cluster.datasets:
                raise AirflowSkipException(f"cluster {assignment.cluster.name}: no shard falls to its share")
            in_time(assignment, context)
        return assignment


def read_assignment(document: Any) -> ClusterRun:
    """Return a cluster's part of the run; raise TaskFailedForGood if this version cannot read it."""
    with fail_in_words():
        return ClusterRun.read(document)


def end_of(assignment: ClusterRun, context: Context) -> float | None:
    """Return the run's deadline in seconds since 1970."""
    run = assignment.run
    return None if run.max_hours is None else deadline.end(run, context["dag_run"].start_date)


def in_time(assignment: ClusterRun, context: Context) -> None:
    """Raise TaskFailedForGood when the run has no time left."""
    if deadline.is_over(end_of(assignment, context)):
        raise TaskFailedForGood(f"cluster {assignment.cluster.name}: {deadline.too_late(assignment.run)}")


def other_run(context: Context) -> str | None:
    """Return another planned run of the DAG that goes on; no two are planned at once.

    Airflow's limit of active runs counts each backfill separately.
    """
    ti, this = context["ti"], context["dag_run"]
    first, last = tasks.PLAN.task_id, tasks.STATUS.task_id
    for run_id, states in ti.get_task_states(dag_id=this.dag_id, task_ids=[first, last]).items():
        goes_on = states.get(first) == "success" and states.get(last) not in ENDED
        if (
            run_id != this.run_id
            and goes_on
            and ti.get_dr_count(dag_id=this.dag_id, run_ids=[run_id], states=["running"])
        ):
            return str(run_id)
    return None


def output_store(assignment: ClusterRun) -> ObjectStore:
    """Return the run's folder in the output bucket."""
    from higgsdemo.storage.object_store import ObjectStore

    return ObjectStore(assignment.run.output, assignment.run.output_connection)


def check(event: dict[str, Any] | None) -> dict[str, Any]:
    """Return a trigger's payload.

    :raises TaskFailed: when the trigger had to give up.
    :raises TaskFailedForGood: when it had to, and would have to again.
    """
    payload = event or {"error": "the trigger ended without an event"}
    if payload.get("final"):
        raise TaskFailedForGood(payload["error"])
    if "error" in payload:
        raise TaskFailed(payload["error"])
    return payload

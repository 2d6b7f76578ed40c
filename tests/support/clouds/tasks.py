"""Runs a task of a campaign as a worker and the triggerer do, without the rest of Airflow.

A task that defers is given up; its trigger is made anew from what Airflow would keep of it, and run to its
first event; then the task is made anew and goes on with the event.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from airflow.sdk.exceptions import TaskDeferred
from airflow.triggers.base import BaseTrigger

from higgsdemo.operators.results import MergeResultsOperator, PlotOperator
from higgsdemo.run import ClusterRun
from loop_watch import loop_watched
from planned_runs import ALONE


def make(operator: type, planned: ClusterRun, **arguments: Any) -> Any:
    """Return the operator's task for a planned run."""
    return operator(task_id="task", assignment=planned.model_dump(mode="json"), **arguments)


def carry_out(operator: type, planned: ClusterRun, waited: Any = None, **arguments: Any) -> Any:
    """Return what the task returns in the end. Raises what it raises.

    :param waited: what the cluster's task before has returned.
    """
    return to_its_end(lambda: make(operator, planned, **arguments), _context(waited))


def merge(*planned: ClusterRun, operators: tuple[type, ...] = (MergeResultsOperator,)) -> Any:
    """Return what a run's last tasks return, of its clusters' parts."""
    context = {"dag_run": SimpleNamespace(start_date=None), "outlet_events": {}}
    returned = [one.model_dump(mode="json") for one in planned]
    return [operator(task_id="task", assignments=returned).execute(context) for operator in operators][-1]


def merge_and_plot(*planned: ClusterRun) -> None:
    """Carry out a run's last tasks."""
    merge(*planned, operators=(MergeResultsOperator, PlotOperator))


def to_its_end(task: Callable[[], Any], context: Any) -> Any:
    """Return what a task returns in the end, made anew each time it goes on. Raises what it raises."""
    try:
        return task().execute(context)
    except TaskDeferred as deferred:
        waiting = deferred
    while True:
        event = first_event(waiting.trigger)
        try:
            return getattr(task(), waiting.method_name)(context, event=event)
        except TaskDeferred as deferred:
            waiting = deferred


def _context(waited: Any) -> Any:
    """Return what a task is told of its run: that it has just begun."""
    ti = SimpleNamespace(**vars(ALONE), map_index=0, xcom_pull=lambda **_: waited)
    return {"dag_run": SimpleNamespace(start_date=datetime.now(UTC), conf={}, dag_id="campaign"), "ti": ti}


def first_event(trigger: BaseTrigger) -> Any:
    """Return the payload of a trigger's first event, after the trip through Airflow's database."""
    _, arguments = trigger.serialize()
    again = type(trigger)(**arguments)

    async def first() -> Any:
        return [event.payload async for event in again.run()][
            :1
        ]  # the triggerer, too, lets it run to its end

    with loop_watched():
        return next(iter(asyncio.run(first())), None)

"""Registers with Airflow what writes into a run's note why the run has failed.

Airflow's lists of runs show the note. One that a person has written stays.
"""

import sys
from contextlib import suppress
from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import object_session
from sqlalchemy.orm.exc import StaleDataError

BEGINNING = "Why it failed: "
LONGEST_NOTE = 1000  # characters that Airflow keeps


@hookimpl
def on_dag_run_failed(dag_run: Any, msg: str) -> None:
    """Write what ``campaign_status`` said; a run of another DAG has none.

    The scheduler and the API server, where somebody marks the run, may write it at the same time. Refused at
    the end of their transaction, the second of them would undo the end of the run.
    """
    from higgsdemo.page.airflow_run import last_reason

    reason, session = last_reason(dag_run), object_session(dag_run)
    if reason and session and _is_ours(dag_run.note or BEGINNING):
        savepoint = session.begin_nested()
        with suppress(IntegrityError, StaleDataError), savepoint:
            dag_run.note = f"{BEGINNING}{reason}"[:LONGEST_NOTE]


@hookimpl
def on_dag_run_running(dag_run: Any, msg: str) -> None:
    """Take the note back from a run that goes on after all."""
    if dag_run.clear_number and _is_ours(dag_run.note or ""):
        dag_run.dag_run_note = None


def _is_ours(note: str) -> bool:
    return note.startswith(BEGINNING)


class HiggsNote(AirflowPlugin):
    """The note of a run that has failed."""

    name = "higgs_note"
    listeners = [sys.modules[__name__]]  # noqa: RUF012  # as Airflow has it

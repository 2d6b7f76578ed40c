"""Registers with Airflow what writes into a run's note why the run has failed.

Airflow's lists of runs show the note. One that a person has written stays.
"""

import sys
from contextlib import suppress
from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, object_session

BEGINNING = "Why it failed: "
LONGEST_NOTE = 1000  # characters that Airflow keeps


@hookimpl
def on_dag_run_failed(dag_run: Any, msg: str) -> None:
    """Write what ``campaign_status`` said; a run of another DAG has none."""
    from higgsdemo.page.airflow_run import last_reason

    reason, session = last_reason(dag_run), object_session(dag_run)
    if not (reason and session and _is_ours(dag_run.note or BEGINNING)):
        return
    text = f"{BEGINNING}{reason}"[:LONGEST_NOTE]
    if dag_run.note is None:
        _add(session, dag_run, text)
    else:
        dag_run.note = text


@hookimpl
def on_dag_run_running(dag_run: Any, msg: str) -> None:
    """Take the note back from a run that goes on after all."""
    if dag_run.clear_number and _is_ours(dag_run.note or ""):
        dag_run.dag_run_note = None


def _add(session: Session, dag_run: Any, text: str) -> None:
    """Add a note, unless another process has done so meanwhile.

    The scheduler and the API server, where somebody marks the run, may do so at the same time. Refused at the
    end of their transaction, the second of them would undo the end of the run. The scheduler allows no
    savepoint of the session.
    """
    from airflow.models.dagrun import DagRunNote

    connection = session.connection()
    with suppress(IntegrityError), connection.begin_nested():
        connection.execute(insert(DagRunNote).values(dag_run_id=dag_run.id, content=text))
    session.expire(dag_run, ["dag_run_note"])


def _is_ours(note: str) -> bool:
    return note.startswith(BEGINNING)


class HiggsNote(AirflowPlugin):
    """The note of a run that has failed."""

    name = "higgs_note"
    listeners = [sys.modules[__name__]]  # noqa: RUF012  # as Airflow has it

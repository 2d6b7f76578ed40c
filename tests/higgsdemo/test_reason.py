"""Why a run has failed stands where people look: on its page, and in its note in Airflow."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from airflow.utils.sqlalchemy import prohibit_commit

import higgs_note
from higgsdemo.operators.base import TaskFailed
from higgsdemo.page import airflow_run
from higgsdemo.page.airflow_run import read_campaign, read_run
from higgsdemo.page.snapshot import Snapshot
from higgsdemo.page.state import run_state
from higgsdemo.reason import keep_reason
from higgsdemo.run import run_name

MISSPELT = 'plan: trigger conf: it has no key "maping"; did you mean "mapping"?'


@pytest.mark.usefixtures("airflow_database")
def test_a_run_that_fails_before_its_jobs_says_why_on_its_page_and_in_its_note(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dags = repository / "dags"
    bag = BundleDagBag(dag_folder=dags, bundle_path=dags, bundle_name="dags-folder")
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(bag, "dags-folder", None)
    run_id = bag.dags["demo-local"].test(run_conf={"maping": []}).run_id
    with create_session() as session:
        campaign = read_campaign(session, "demo-local")
        assert campaign is not None
        run = read_run(session, campaign, run_id)
        assert run is not None
        state = run_state(run, Snapshot(), "")
        (told,) = state["causes"]
        assert told["text"].startswith(MISSPELT)
        assert told["url"].endswith(f"/runs/{run_id.replace(':', '%3A').replace('+', '%2B')}/tasks/plan")
        assert state["advice"] == "Mend it, and trigger the campaign again."

        row: Any = session.query(DagRun).filter_by(run_id=run_id).one()
        monkeypatch.setattr(airflow_run, "RUNS_SHOWN", 0)  # those on the page are found, and all others
        assert read_run(session, campaign, run_name(run_id, row.run_after)) == run
        row.conf = {"run_name": "Keynote"}
        session.commit()
        assert read_run(session, campaign, "Keynote") == run
        assert read_run(session, campaign, "20260102t030405-9ac4") is None
        assert row.note is None  # `dag.test` calls the listener without a session
        with create_session(scoped=False) as other:
            marked: Any = other.get(DagRun, row.id)
            higgs_note.on_dag_run_failed(marked, "")
        with prohibit_commit(session) as scheduler:
            higgs_note.on_dag_run_failed(row, "")
            scheduler.commit()
        assert row.note.startswith(f"Why it failed: {MISSPELT}")
        row.clear_number = 1
        higgs_note.on_dag_run_running(row, "")
        assert row.note is None
        row.note = "mine"
        higgs_note.on_dag_run_failed(row, "")
        assert row.note == "mine"


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (TaskFailed("cluster a: gone\nfor \x1b[2Jgood"), ["cluster a: gone\nfor \\u001b[2Jgood"]),
        (KeyError("x"), ["KeyError: 'x'"]),
        ("heartbeat lost", []),
        (None, []),
    ],
)
def test_what_ended_a_try_is_kept_as_people_can_read_it(error: Any, kept: list[str]) -> None:
    pushed: list[str] = []
    ti = SimpleNamespace(xcom_push=lambda _key, value: pushed.append(value))
    context: Any = {"exception": error, "ti": ti}
    keep_reason(context)
    assert pushed == kept

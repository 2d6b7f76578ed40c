"""Clusters that still work are deleted only when somebody agrees, or nobody is there to ask."""

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import TaskAwaitingInput

from higgsdemo.operators.cleanup import DELETE, KEEP, ChooseCleanupOperator
from planned_runs import planned


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return what people are asked: Airflow's database is left out."""
    questions: list[dict[str, Any]] = []
    target = "airflow.providers.standard.operators.hitl.upsert_hitl_detail"
    monkeypatch.setattr(target, lambda **question: questions.append(question))
    return questions


def choice(monkeypatch: pytest.MonkeyPatch, busy: str | None, **run: Any) -> ChooseCleanupOperator:
    """Return the task of a run whose only cluster works (a text), does not (empty), or tells itself."""
    if busy is not None:
        monkeypatch.setattr(ChooseCleanupOperator, "_busy", lambda self, assignment: busy or None)
    monkeypatch.setattr(
        ChooseCleanupOperator, "do_branch", lambda self, context, branches_to_execute: branches_to_execute
    )
    assignment = planned({"cleanup": "clusters"} | run).model_dump(mode="json")
    with DAG("campaign", schedule=None):
        return ChooseCleanupOperator(task_id="choose_cleanup", assignments=[assignment])


def context(kind: str = "manual") -> Any:
    return {"dag_run": SimpleNamespace(run_type=kind), "task_instance": SimpleNamespace(id="one")}


def test_somebody_is_asked_before_clusters_that_work_are_deleted(
    monkeypatch: pytest.MonkeyPatch, asked: list[dict[str, Any]]
) -> None:
    with pytest.raises(TaskAwaitingInput) as waiting:
        choice(monkeypatch, "kubecon-demo-0: 12 shards").execute(context())
    assert waiting.value.timeout == timedelta(hours=1)
    (question,) = asked
    assert question["options"] == [DELETE, KEEP]
    assert question["defaults"] == [DELETE]
    assert "kubecon-demo-0: 12 shards" in question["body"]


def test_somebody_is_asked_when_the_cluster_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, asked: list[dict[str, Any]]
) -> None:
    nowhere = {"conn_type": "http", "host": "http://127.0.0.1", "port": 1, "password": "x"}
    monkeypatch.setenv("AIRFLOW_CONN_LOCALKUBE_DEFAULT", json.dumps(nowhere))
    with pytest.raises(TaskAwaitingInput):
        choice(monkeypatch, None).execute(context())
    assert "kubecon-demo-0: nobody knows whether shards run there: " in asked[0]["body"]


@pytest.mark.parametrize(("answer", "task"), [(DELETE, ["cleanup_jobs"]), (KEEP, ["keep"])])
def test_the_answer_is_followed(monkeypatch: pytest.MonkeyPatch, answer: str, task: list[str]) -> None:
    from datetime import UTC, datetime

    event = {
        "chosen_options": [answer],
        "params_input": {},
        "responded_at": datetime.now(UTC),
        "responded_by_user": None,
    }
    assert choice(monkeypatch, "busy").execute_complete(context(), event) == task


@pytest.mark.parametrize(
    ("busy", "run", "kind"),
    [
        ("", {}, "manual"),
        ("busy", {}, "scheduled"),
        ("busy", {"approve_delete": False}, "manual"),
        ("busy", {"cleanup": "jobs"}, "manual"),
    ],
)
def test_nobody_is_asked_without_need(
    monkeypatch: pytest.MonkeyPatch, asked: list[dict[str, Any]], busy: str, run: dict[str, Any], kind: str
) -> None:
    assert choice(monkeypatch, busy, **run).execute(context(kind)) == "cleanup_jobs"
    assert asked == []


@pytest.mark.parametrize("run", [{"cleanup": "none"}, {"stages": ("create",)}])
def test_what_is_to_stay_is_kept(monkeypatch: pytest.MonkeyPatch, run: dict[str, Any]) -> None:
    assert choice(monkeypatch, "busy", **run).execute(context()) == "keep"

"""What is left over is found by its labels and removed; what is in use, or a stranger's, stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from higgsdemo.campaign import parse_campaign
from higgsdemo.operators.janitor import FindLeftoversOperator, RemoveLeftoversOperator
from localkube_server import Kube, Server, indexed_job

MAPPING = [{"name": "ours-0", "datasets": ["Simulated_TTbar_8TeV"]}]
DOCUMENT = {
    "catalogue": "demo",
    "storage": {"input": "s3://higgs-demo", "output": "s3://higgs-results", "connection": "higgs_s3"},
    "defaults": {"provider": "local", "flavor": "local-1", "resources": {"cpu": "0.9", "memory": "1Gi"}},
    "mapping": MAPPING,
}
CAMPAIGNS = {"ours": parse_campaign(DOCUMENT, "ours.json"), "other": parse_campaign(DOCUMENT, "other.json")}
PART = {"part-of": "higgsdemo"}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A localkube of the test's own, and the connection to it."""
    server = Server(tmp_path / "localkube")
    server.start()
    document = {
        "conn_type": "http",
        "host": "https://127.0.0.1",
        "port": server.port,
        "password": (server.state / "admin.token").read_text(),
        "extra": {"ca": str(server.state / "ca.crt")},
    }
    monkeypatch.setenv("AIRFLOW_CONN_LOCALKUBE_DEFAULT", json.dumps(document))
    yield server
    server.end()


@pytest.fixture
def clusters(server: Server) -> dict[str, Kube]:
    """Two clusters of campaigns, one of a campaign nobody knows, and a stranger's."""
    marks = {
        "ours-0": PART | {"campaign": "ours"},
        "other-0": PART | {"campaign": "other"},
        "gone-0": PART | {"campaign": "gone"},
        "strange": {"campaign": "ours"},
    }
    made = {name: server.create_cluster(name, labels=labels) for name, labels in marks.items()}
    for kube in (made["ours-0"], made["other-0"]):
        kube.core.create_namespace({"metadata": {"name": "higgs"}})
    return made


def leave(kube: Kube, name: str, campaign: str, **labels: str) -> None:
    """Leave a Job of a run in a cluster."""
    marks = {"app.kubernetes.io/part-of": "higgsdemo", "higgsdemo/campaign": campaign, "higgsdemo/run": "r1"}
    job = indexed_job(name, "true", 1, suspend=True)
    job["metadata"]["labels"] = marks | labels
    kube.batch.create_namespaced_job("higgs", job)


def context(running: tuple[str, ...] = (), remove: bool = False) -> Any:
    """The context of a task in an Airflow where these campaigns have a run that goes on."""
    ti = SimpleNamespace(get_dr_count=lambda dag_id, states: int(dag_id in running))
    return {"ti": ti, "params": {"remove": remove}}


def found(running: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    return FindLeftoversOperator(task_id="look", campaigns=CAMPAIGNS).execute(context(running))


def told(leftovers: list[dict[str, Any]]) -> list[tuple[str, str, str | None]]:
    return sorted((one["kind"], one["cluster"], one["run"]) for one in leftovers)


def names(server: Server) -> set[str]:
    with server.admin() as admin:
        items = admin.get("clusters").json()["items"]
    return {item["name"] for item in items if item["phase"] != "Deleting"}


def test_only_what_no_run_uses_is_left_over(clusters: dict[str, Kube]) -> None:
    leave(clusters["ours-0"], "one", "ours")
    leave(clusters["other-0"], "two", "other")
    leave(clusters["other-0"], "strange", "other", **{"app.kubernetes.io/part-of": "somebody"})
    assert told(found()) == [
        ("cluster", "other-0", None),
        ("cluster", "ours-0", None),
        ("objects", "other-0", "r1"),
        ("objects", "ours-0", "r1"),
    ]
    assert told(found(running=("other",))) == [("cluster", "ours-0", None), ("objects", "ours-0", "r1")]


def test_nothing_is_removed_unless_it_is_asked_for(clusters: dict[str, Kube], server: Server) -> None:
    before = names(server)
    with pytest.raises(AirflowSkipException):
        RemoveLeftoversOperator(task_id="remove", leftovers=found()).execute(context())
    assert names(server) == before


def test_what_a_run_has_taken_up_meanwhile_stays(clusters: dict[str, Kube], server: Server) -> None:
    leave(clusters["ours-0"], "three", "ours")
    leave(clusters["other-0"], "four", "other")
    leftovers = found()
    removed = RemoveLeftoversOperator(task_id="remove", leftovers=leftovers).execute(
        context(running=("other",), remove=True)
    )
    assert removed == [
        "1 objects of the run r1 of ours in cluster ours-0",
        "cluster ours-0 of the campaign ours",
    ]
    assert {"other-0", "gone-0", "strange"} <= names(server)
    assert "ours-0" not in names(server)
    assert clusters["other-0"].batch.read_namespaced_job("four", "higgs").metadata.name == "four"

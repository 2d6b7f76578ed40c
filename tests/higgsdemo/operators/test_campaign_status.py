"""``campaign_status`` fails a run that tasks or results have failed, and no other."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from higgsdemo.operators.base import TaskFailed
from higgsdemo.operators.cleanup import CampaignStatusOperator
from higgsdemo.operators.created import note
from planned_runs import planned

DONE = {"plan": "success", "merge_results": "success", "choose_cleanup": "success"}


def status(states: dict[str, str], merged: Any = None, waited: Any = "done") -> None:
    """Carry out the task at the end of a run whose tasks are in these states."""

    def pulled(task_ids: str, map_indexes: int = -1, key: str = "return_value") -> Any:
        reasons = {("cluster.wait_for_jobs", 0): "cluster kubecon-demo-0: too late"}
        return waited if key == "return_value" else reasons.get((task_ids, map_indexes))

    ti = SimpleNamespace(get_task_states=lambda **_: {"run": states}, xcom_pull=pulled)
    context: Any = {"ti": ti, "dag_run": SimpleNamespace(dag_id="demo", run_id="run")}
    there = {"provider": "gke", "location": "a-b"} if waited else {}
    priced = planned({}, there | {"nodes": 22, "price_per_node_hour": 0.5})
    one = priced.model_dump(mode="json")
    CampaignStatusOperator(task_id="campaign_status", merged=merged, assignments=[one]).execute(context)


@pytest.mark.parametrize("merged", [None, {"summary": "s3://out/summary.json", "excess": []}])
def test_a_run_whose_tasks_have_done_their_part_is_good_and_tells_of_clusters_that_stay(
    merged: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    if merged:
        note(planned({}, {"provider": "gke", "location": "a-b"}))
    status(DONE, merged)
    stays = "Cluster kubecon-demo-0 stays: 22 nodes of gke, 11 an hour" in capsys.readouterr().out
    assert stays == bool(merged)


def test_failed_tasks_are_named_with_their_clusters_and_reasons() -> None:
    with pytest.raises(TaskFailed) as failed:
        status(DONE | {"plot": "failed", "cluster.wait_for_jobs_0": "failed"})
    assert str(failed.value) == "wait_for_jobs of kubecon-demo-0: too late\nplot: its log says why"


def test_of_many_failed_tasks_the_first_are_named() -> None:
    with pytest.raises(TaskFailed, match=r"\n2 more tasks have failed$"):
        status({f"task{number}": "failed" for number in range(12)})


def test_a_cluster_that_could_not_be_deleted_is_named_with_what_it_costs() -> None:
    with pytest.raises(
        TaskFailed, match=r"\nCluster kubecon-demo-0 is not deleted: 22 nodes of gke, 11 an hour\. Clear"
    ):
        status(DONE | {"delete_clusters_0": "failed"})


def test_a_cluster_that_cannot_be_asked_for_jobs_that_nobody_waits_for_fails_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nowhere = {"conn_type": "http", "host": "http://127.0.0.1", "port": 1, "password": "x"}
    monkeypatch.setenv("AIRFLOW_CONN_LOCALKUBE_DEFAULT", json.dumps(nowhere))
    with pytest.raises(TaskFailed, match=r"^Cluster kubecon-demo-0: whether its Jobs still run is not known"):
        status(DONE | {"cluster.submit_jobs_0": "success"}, waited=None)
    status(DONE | {"cluster.submit_jobs_0": "skipped"}, waited=None)


def test_too_many_corrupt_results_fail_the_run() -> None:
    excess = ["cluster a: 4 of 4 shards have no result, 0 may fail"]
    with pytest.raises(TaskFailed, match=r"cluster a: 4 of 4 .*: s3://out/summary.json says why"):
        status(DONE, {"summary": "s3://out/summary.json", "excess": excess})


def test_a_run_ended_by_hand_is_no_good_one() -> None:
    with pytest.raises(TaskFailed, match="ended by hand"):
        status(DONE | {"choose_cleanup": "skipped"})

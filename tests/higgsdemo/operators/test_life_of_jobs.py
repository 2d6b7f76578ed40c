"""From submission to judgement on a real cluster, with real pods, of which some find no file."""

import json
from collections.abc import Iterable
from threading import Thread
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from clouds.tasks import carry_out, make
from higgsdemo.campaign.entries import Resources
from higgsdemo.datasets.shards import Shard, dump
from higgsdemo.operators import waiting as waits
from higgsdemo.operators.base import TaskFailed, TaskFailedForGood
from higgsdemo.operators.cluster_life import CreateClusterOperator
from higgsdemo.operators.jobs import SubmitJobsOperator, WaitForJobsOperator
from higgsdemo.operators.list_shards import ListShardsOperator
from higgsdemo.operators.prepull import PrepullImageOperator
from higgsdemo.run import ClusterRun
from higgsdemo.run_folder import CORRUPT, failures_key, result_key, shards_key
from higgsdemo.storage.object_store import ObjectStore
from localkube_server import Kube
from planned_runs import THEIRS, dataset, planned
from stores import Kind
from waiting import eventually


def listed(s3: Kind, shards: Iterable[Shard], files: Iterable[str], **run: Any) -> ClusterRun:
    """Return a run in test mode over these shards, one pod at a time; of them only ``files`` are there."""
    assignment = planned(
        run={"output": f"{s3.url}/out/one", "output_connection": "with_keys"} | run,
        cluster=THEIRS
        | {
            "resources": {"cpu": "0.5", "memory": "1Gi"},
            "parallelism": 1,
            "dpath": "/dev/null",
            "datasets": [dataset(name, url=f"{s3.url}/{name}/") for name in "DE"],
        },
    )
    ObjectStore(assignment.run.output, "with_keys").write(
        shards_key(assignment.cluster.name), b"".join(map(dump, shards))
    )
    for file in files:
        put(s3, file)
    return assignment


def shard(s3: Kind, dataset: str, name: str, done: bool = False) -> Shard:
    return Shard(dataset, name, f"{s3.url}/{dataset}/{name}.root", 4, done=done)


def put(s3: Kind, file: str) -> None:
    ObjectStore(s3.url, "with_keys").write(f"{file}.root", b"root")


def test_the_tolerance_is_of_all_shards_of_the_cluster_not_of_those_of_a_job(s3: Kind, kube: Kube) -> None:
    before = [shard(s3, "D", f"{number}", done=True) for number in range(20)]
    now = [shard(s3, "E", name) for name in ("gone", "one", "two")]
    assignment = listed(s3, before + now, ["E/one", "E/two"], tolerance=0.1)
    output = ObjectStore(assignment.run.output, "with_keys")
    for one in before:
        output.write(result_key("D", one.name), b"{}")
    submitted = make(SubmitJobsOperator, assignment).execute({})
    assert (list(submitted["jobs"].values()), submitted["shards"]) == ([3], {"D": 20, "E": 3})
    assert carry_out(WaitForJobsOperator, assignment, submitted=submitted) == {
        "cluster_name": "kubecon-demo-0",
        "shards": 23,
        "done": 22,
        "failed": 1,
        "deleting": False,
    }


def test_a_run_whose_files_were_mended_is_finished_by_submitting_it_again(s3: Kind, kube: Kube) -> None:
    assignment = listed(s3, [shard(s3, "E", "one"), shard(s3, "E", "two")], ["E/one"])
    submitted = make(SubmitJobsOperator, assignment).execute({})
    with pytest.raises(TaskFailedForGood, match="1 of 2 shards have no result"):
        carry_out(WaitForJobsOperator, assignment, submitted=submitted)
    output, noted = ObjectStore(assignment.run.output, "with_keys"), failures_key(assignment.cluster.name)
    assert [failure["shard"] for failure in json.loads(output.read(noted))] == ["two"]
    put(s3, "E/two")
    assert make(SubmitJobsOperator, assignment).execute({}) == submitted  # cleared, or resumed
    assert carry_out(WaitForJobsOperator, assignment, submitted=submitted)["done"] == 2
    assert json.loads(output.read(noted)) == []


@pytest.mark.parametrize(("corrupt", "resumed"), [(False, False), (True, True)])
def test_what_has_no_good_result_runs_again_though_its_job_is_complete(
    s3: Kind, kube: Kube, corrupt: bool, resumed: bool
) -> None:
    shards = [shard(s3, "E", "one"), shard(s3, "E", "two"), shard(s3, "E", "lost", done=resumed)]
    assignment = listed(s3, shards, ["E/one", "E/two", "E/lost"])
    output, lost = ObjectStore(assignment.run.output, "with_keys"), result_key("E", "lost")
    if resumed:
        output.write(lost, b"{}")
    submitted = make(SubmitJobsOperator, assignment).execute({})
    assert carry_out(WaitForJobsOperator, assignment, submitted=submitted)["done"] == 3
    assert make(SubmitJobsOperator, assignment).execute({})["jobs"] == {}  # all is done
    if corrupt:
        output.write(lost, b"{")
        output.write(CORRUPT, json.dumps([lost]).encode())  # as the merge says
    else:
        output.remove([lost])
    again = make(SubmitJobsOperator, assignment).execute({})
    assert list(again["jobs"].values()) == [1 if resumed else 3]
    assert carry_out(WaitForJobsOperator, assignment, submitted=again)["done"] == 3
    assert json.loads(output.read(lost))["samplename"] == "E"


@pytest.mark.parametrize(("on_cancel", "stopped"), [("stop", True), ("release", False)])
def test_a_submission_that_is_told_to_end_stops_its_jobs_or_leaves_them_as_configured(
    s3: Kind, kube: Kube, on_cancel: str, stopped: bool
) -> None:
    assignment = listed(s3, [shard(s3, "D", "one"), shard(s3, "E", "one")], [], on_cancel=on_cancel)
    task = make(SubmitJobsOperator, assignment)
    task.on_kill()
    if stopped:
        with pytest.raises(TaskFailed, match="ending on request: the Jobs are stopped"):
            task.execute({})
    else:
        assert len(task.execute({})["jobs"]) == 2
    jobs = kube.batch.list_job_for_all_namespaces().items
    assert {job.spec.suspend for job in jobs} == {stopped}


def endless_wait(s3: Kind, **run: Any) -> WaitForJobsOperator:
    """Return a wait for a Job whose pods no node has room for."""
    assignment = listed(s3, [shard(s3, "D", "one")], [], **run)
    cluster = assignment.cluster.model_copy(update={"resources": Resources(cpu="64")})
    assignment = assignment.model_copy(update={"cluster": cluster})
    submitted = make(SubmitJobsOperator, assignment).execute({})
    task: WaitForJobsOperator = make(WaitForJobsOperator, assignment, submitted=submitted)
    return task


def test_a_wait_that_is_not_over_in_a_moment_is_deferred(
    s3: Kind, kube: Kube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "MOMENT", 0.5)
    with pytest.raises(TaskDeferred) as deferred:
        endless_wait(s3).execute({})
    assert deferred.value.trigger.serialize()[1]["poll_seconds"] == 0.1


@pytest.mark.parametrize(("on_cancel", "stopped"), [("stop", True), ("release", False)])
def test_a_wait_that_is_told_to_end_before_it_is_deferred_stops_its_jobs_or_leaves_them(
    s3: Kind, kube: Kube, monkeypatch: pytest.MonkeyPatch, on_cancel: str, stopped: bool
) -> None:
    monkeypatch.setattr(waits, "MOMENT", 60)
    task = endless_wait(s3, on_cancel=on_cancel)
    killing = Thread(target=lambda: eventually(lambda: task._watching) and task.on_kill())
    killing.start()
    with pytest.raises(TaskFailed, match="ended on request while it waited"):
        task.execute({"ti": None})
    killing.join()
    assert [job.spec.suspend for job in kube.batch.list_job_for_all_namespaces().items] == [stopped]


@pytest.mark.parametrize(
    "operator", [CreateClusterOperator, PrepullImageOperator, ListShardsOperator, SubmitJobsOperator]
)
def test_a_cluster_without_a_share_of_the_shards_is_not_made_and_has_nothing_to_do(operator: type) -> None:
    with pytest.raises(AirflowSkipException, match="kubecon-demo-0: no shard falls to its share"):
        carry_out(operator, planned(cluster={"datasets": []}))
    with pytest.raises(AirflowSkipException):
        carry_out(WaitForJobsOperator, planned(cluster={"datasets": []}), submitted=None)


def test_a_submission_that_was_marked_as_success_by_hand_is_told_of() -> None:
    with pytest.raises(TaskFailedForGood, match=r"submit_jobs has left nothing to wait for.* Clear it"):
        carry_out(WaitForJobsOperator, planned(), submitted=None)


def test_with_an_identity_there_is_a_service_account_and_no_secret(s3: Kind, kube: Kube) -> None:
    role = "arn:aws:iam::123456789012:role/pods"
    assignment = listed(s3, [shard(s3, "D", "one")], [])
    cluster = assignment.cluster.model_copy(update={"pod_identity": role})
    make(SubmitJobsOperator, assignment.model_copy(update={"cluster": cluster})).execute({})
    assert kube.core.list_namespaced_secret("higgs").items == []
    account = kube.core.read_namespaced_service_account("higgs-pods", "higgs")
    assert account.metadata.annotations["eks.amazonaws.com/role-arn"] == role
    (job,) = kube.batch.list_namespaced_job("higgs").items
    pod = job.spec.template.spec
    assert pod.service_account_name == "higgs-pods"
    named = {variable.name: variable.value for variable in pod.containers[0].env}
    assert named["AWS_REGION"] == "us-east-1"
    assert "AWS_SECRET_ACCESS_KEY" not in named

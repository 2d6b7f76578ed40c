"""What every cloud keeps to: clusters of GKE and EKS are made, adopted, waited for and deleted alike."""

import json
import threading
import time
from collections.abc import Callable
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException
from kubernetes.client import BatchV1Api, CoreV1Api

from clouds.contract import NAME, Cloud, created, deleted
from clouds.tasks import carry_out, first_event
from higgsdemo.clusters import ClusterError, Phase, provider_of
from higgsdemo.clusters.tokens import Token, TokenProvider
from higgsdemo.datasets.shards import Shard, dump
from higgsdemo.kubernetes.names import labels
from higgsdemo.operators.base import TaskFailed, TaskFailedForGood
from higgsdemo.operators.cleanup import ChooseCleanupOperator
from higgsdemo.operators.cluster_life import begin_deletion
from higgsdemo.operators.created import note, read_notes
from higgsdemo.operators.jobs import CleanupJobsOperator, WaitForJobsOperator
from higgsdemo.run import ClusterRun
from higgsdemo.run_folder import result_key, shards_key
from higgsdemo.triggers.cluster import DeletionTrigger
from higgsdemo.triggers.jobs import JobsTrigger
from higgsdemo.triggers.polling import ANSWER_IN
from localkube_server import shell_space
from planned_runs import dataset
from stores import Kind
from tables import cases
from waiting import eventually

MANIFESTS = Path(__file__).parents[1] / "manifests"
ONE_SHARD = {"higgsdemo/shards": "1", "higgsdemo/shards-per-pod": "1"}
NOTHING = f"there is no cluster {NAME} of ours to delete"


def test_a_cluster_is_made_by_the_reviewed_requests_and_answers(cloud: Cloud) -> None:
    assert created(cloud.run()) == cloud.made
    assert cloud.sent() == [json.loads((MANIFESTS / f"{name}.json").read_text()) for name in cloud.manifests]
    assert len(cloud.gate.objects(NAME, "/api/v1/nodes")) == 2
    assert len(CoreV1Api(provider_of(cloud.run()).connect()).list_node().items) == 2
    assert cloud.gate.clusters[NAME].refused == 0


def test_a_cluster_is_deleted_part_by_part(cloud: Cloud) -> None:
    created(cloud.run())
    assert deleted(cloud.run()) == {"cluster_name": NAME}
    assert (cloud.clusters(), cloud.deletions()) == ([], cloud.parts())
    assert provider_of(cloud.run()).state().phase == Phase.ABSENT


def test_a_deletion_that_a_worker_has_begun_is_waited_for_in_the_triggerer(cloud: Cloud) -> None:
    created(cloud.run())
    trigger = DeletionTrigger(cloud.run().model_dump(mode="json"), 0.02, inf, run=None, noted=True)
    while trigger._step(0.0) is None:
        pass
    assert first_event(trigger) == {"deleted": True}


def test_what_is_there_with_the_same_shape_is_adopted(cloud: Cloud) -> None:
    created(cloud.run())
    before = cloud.sent()
    assert created(cloud.run()) == cloud.made
    assert cloud.sent() == before


@cases
def test_what_is_there_with_another_shape_is_refused_by_the_difference(
    cloud: Cloud, change: dict[str, Any], difference: str
) -> None:
    created(cloud.run())
    with pytest.raises(TaskFailedForGood) as refused:
        created(cloud.run(**change))
    assert str(refused.value) == (
        f"cluster {NAME} is there already with another shape: {difference}. Change the campaign, or remove "
        "the cluster (stage 'cleanup' with cleanup 'clusters')"
    )


@pytest.mark.parametrize(
    ("theirs", "ours", "told"),
    [
        ({"campaign": "higgs-minimal"}, {}, "made by the campaign higgs-minimal: give this"),
        ({"airflow": "theirs"}, {"airflow": "ours"}, "made by the campaign higgs-full in another Airflow"),
        (None, {}, "was not made by a campaign: give this one another name"),
    ],
)
def test_anothers_cluster_is_neither_adopted_nor_deleted(
    cloud: Cloud, theirs: dict[str, Any] | None, ours: dict[str, Any], told: str
) -> None:
    if theirs is None:
        cloud.stranger()
    else:
        created(cloud.run(**theirs))
    with pytest.raises(TaskFailedForGood, match=told):
        created(cloud.run(**ours))
    with pytest.raises(AirflowSkipException, match=NOTHING):
        deleted(cloud.run(**ours))
    assert cloud.deletions() == []


def test_a_cluster_that_names_no_airflow_is_adopted_and_deleted(cloud: Cloud) -> None:
    created(cloud.run())  # as before Airflows had names
    assert created(cloud.run(airflow="ours")) == cloud.made
    assert deleted(cloud.run(airflow="ours")) == {"cluster_name": NAME}


def test_a_cluster_that_is_not_there_cannot_be_reached_and_needs_no_deletion(cloud: Cloud) -> None:
    with pytest.raises(ClusterError, match=f"cluster {NAME} cannot be reached: it is absent: clear create_"):
        provider_of(cloud.run()).connect()
    with pytest.raises(AirflowSkipException, match=NOTHING):
        deleted(cloud.run())


@pytest.mark.parametrize(
    ("cloud", "part"), [("gke", "cluster"), ("eks", "cluster"), ("eks", "nodes")], indirect=["cloud"]
)
def test_what_has_failed_is_made_anew_by_a_retry_and_found_by_cleanup(cloud: Cloud, part: str) -> None:
    def fail() -> None:
        cloud.fail(part, "no capacity in eu-west-1a")
        with pytest.raises(TaskFailed, match=f"cluster {NAME} has failed: .*no capacity in eu-west-1a"):
            created(cloud.run())

    fail()
    assert created(cloud.run()) == cloud.made
    assert cloud.deletions() == [cloud.parts()[0] if part == "nodes" else cloud.parts()[-1]]
    deleted(cloud.run())
    fail()
    assert deleted(cloud.run()) == {"cluster_name": NAME}
    assert cloud.clusters() == []


def test_what_is_degraded_is_used_as_it_is_and_cleaned_up(cloud: Cloud) -> None:
    created(cloud.run())
    cloud.degrade()
    assert "DEGRADED" in provider_of(cloud.run()).state().detail  # which the log of the task tells
    assert created(cloud.run()) == cloud.made
    assert cloud.deletions() == []
    jobs = at_work(cloud)
    carry_out(CleanupJobsOperator, cloud.run())
    assert jobs.list_job_for_all_namespaces().items == []
    assert deleted(cloud.run()) == {"cluster_name": NAME}


@pytest.mark.parametrize(
    ("cloud", "part"),
    [("gke", "cluster"), ("gke", "nodes"), ("eks", "cluster"), ("eks", "nodes")],
    indirect=["cloud"],
)
def test_a_cluster_that_is_busy_is_deleted_once_it_is_not(cloud: Cloud, part: str) -> None:
    created(cloud.run())
    cloud.update(part)
    assert provider_of(cloud.run()).state().phase == Phase.UPDATING
    assert created(cloud.run()) == cloud.made  # it takes Jobs meanwhile
    cloud.update(part)
    assert deleted(cloud.run()) == {"cluster_name": NAME}
    assert (cloud.clusters(), cloud.deletions()) == ([], cloud.parts())


def test_a_cluster_that_is_still_being_made_is_waited_for_and_then_deleted(cloud: Cloud) -> None:
    provider_of(cloud.run()).create()
    assert deleted(cloud.run()) == {"cluster_name": NAME}
    assert cloud.clusters() == []


def test_a_cluster_that_is_being_deleted_is_waited_for_and_made_anew(cloud: Cloud) -> None:
    created(cloud.run())
    provider_of(cloud.run()).delete()
    asked = len(cloud.sent())
    assert created(cloud.run()) == cloud.made
    assert len(cloud.sent()) == asked + 1


def test_a_refusal_says_its_reason(cloud: Cloud) -> None:
    cloud.forbid()
    with pytest.raises(ClusterError) as refused:
        provider_of(cloud.run()).state()
    assert str(refused.value) == f"cluster {NAME}: cannot look up {cloud.refusal}"


def test_a_deletion_that_is_refused_fails_for_good(cloud: Cloud) -> None:
    created(cloud.run())
    cloud.forbid()
    with pytest.raises(TaskFailedForGood, match="as the test wants it"):
        deleted(cloud.run())


def test_a_cluster_that_appears_only_after_the_first_look_is_deleted(cloud: Cloud) -> None:
    note(cloud.run())  # as `create_cluster` does before it asks
    appearing = threading.Timer(0.5, provider_of(cloud.run()).create)
    appearing.start()
    assert deleted(cloud.run()) == {"cluster_name": NAME}
    appearing.join()
    assert (cloud.clusters(), read_notes(print)) == ([], [])


def test_a_creation_that_never_appears_is_not_waited_for_without_end(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("higgsdemo.triggers.cluster.APPEARS_IN", 0.1)
    note(cloud.run())
    with pytest.raises(AirflowSkipException, match=NOTHING):
        deleted(cloud.run())


def at_work(cloud: Cloud, namespace: str = "higgs", **change: str) -> BatchV1Api:
    """Let a Job of one shard be in the cluster that neither runs nor ends."""
    api = provider_of(cloud.run()).connect()
    CoreV1Api(api).create_namespace({"metadata": {"name": namespace}})
    job = shell_space(None, test="at-work").indexed_job("", 1, parallelism=0)
    job["metadata"]["labels"] = labels(cloud.run().run, "D") | change
    job["metadata"]["annotations"] = ONE_SHARD
    BatchV1Api(api).create_namespaced_job(namespace, job)
    return BatchV1Api(api)


def test_a_cluster_goes_with_the_jobs_of_an_earlier_run_of_its_campaign(cloud: Cloud) -> None:
    created(cloud.run())
    at_work(cloud, **{"higgsdemo/run": "earlier"})
    assert deleted(cloud.run()) == {"cluster_name": NAME}


@pytest.mark.parametrize("namespace", ["higgs", "theirs"])
def test_a_cluster_stays_while_another_run_has_jobs_there(cloud: Cloud, namespace: str) -> None:
    created(cloud.run())
    jobs = at_work(cloud, namespace, **{"higgsdemo/campaign": "other"})
    with DAG("campaign", schedule=None):
        choose = ChooseCleanupOperator(task_id="choose_cleanup", assignments=[])
    assert choose._busy(cloud.run()) == f"{NAME}: 1 shards"
    assert not begin_deletion(cloud.run(), print)
    with pytest.raises(AirflowSkipException, match=f"cluster {NAME} stays: the run .* of other uses it"):
        deleted(cloud.run())
    jobs.patch_namespaced_job("at-work", namespace, {"spec": {"suspend": True}})
    assert deleted(cloud.run()) == {"cluster_name": NAME}


def test_a_cluster_that_others_have_begun_to_use_while_it_was_too_busy_to_be_deleted_stays(
    cloud: Cloud,
) -> None:
    created(cloud.run())
    cloud.api.polls = 9
    cloud.update("cluster")
    assert begin_deletion(cloud.run(), print)
    at_work(cloud, **{"higgsdemo/campaign": "other"})
    with pytest.raises(AirflowSkipException, match=f"cluster {NAME} stays: the run .* of other uses it"):
        deleted(cloud.run(), {"deleting": True})
    assert provider_of(cloud.run()).state().runs


def test_a_cluster_is_deleted_once_its_share_is_done_while_another_works(cloud: Cloud, s3: Kind) -> None:
    def share(name: str, **run: Any) -> ClusterRun:
        bucket = {"output": f"{s3.url}/out/one", "output_connection": "with_keys"}
        planned = cloud.run(name=name)
        return planned.model_copy(update={"run": planned.run.model_copy(update=bucket | run)})

    def waited_for(planned: ClusterRun, *jobs: str) -> Any:
        submitted = {"jobs": dict.fromkeys(jobs, 1), "shards": {}}
        return carry_out(WaitForJobsOperator, planned, submitted=submitted)

    short, long = share(NAME), share("kubecon-demo-1")
    done, shard = dataset().name, dump(Shard(dataset().name, "x", "s3://in/x.root", 1))
    s3.put_all([(f"out/one/{shards_key(one.cluster.name)}", shard) for one in (short, long)])
    s3.put_all([(f"out/one/{result_key(done, 'x')}", b"{}")])
    for one in (short, long):
        created(one)
    jobs = BatchV1Api(provider_of(long).connect())
    jobs.create_namespaced_job("default", shell_space(None, test="long").indexed_job("sleep 600", 1))

    def works() -> Any:
        return jobs.read_namespaced_job("long", "default").status.ready

    eventually(works, "the long share's pod runs")
    for kept in ({"cleanup": "jobs"}, {"stages": ("submit",)}):
        assert not waited_for(share(NAME, **kept))["deleting"]
    told = waited_for(short)
    assert (told["deleting"], cloud.deletions()) == (True, cloud.parts()[:1])
    assert provider_of(long).state().runs
    assert deleted(short, told) == {"cluster_name": NAME}
    assert (cloud.clusters(), cloud.deletions()) == (["kubecon-demo-1"], cloud.parts())
    assert works() == 1
    again = waited_for(short, "that-was-done")  # by a worker that had not heard of it
    assert (again["done"], again["deleting"]) == (1, False)


def wait_for_a_job(cloud: Cloud, seconds: float, disturb: Callable[[], None] = lambda: None) -> Any:
    """Return the event of the wait for a Job that runs some seconds; `disturb` comes in the middle."""
    planned = cloud.run(namespace="default")
    job = shell_space(None, test="long").indexed_job(f"sleep {seconds}", 1)
    job["metadata"] |= {"labels": labels(planned.run, dataset().name), "annotations": ONE_SHARD}
    BatchV1Api(provider_of(planned).connect()).create_namespaced_job("default", job)
    disturbance = threading.Timer(seconds / 2, disturb)
    disturbance.start()
    trigger = JobsTrigger(planned.model_dump(mode="json"), 0.1, None, ["long"], {dataset().name: 1})
    event = first_event(trigger)
    disturbance.join()
    return event


def test_a_token_is_renewed_before_it_ends(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request must not begin with one that may end before its answer, and here it always would."""
    created(cloud.run())
    cloud.tokens_last(600, monkeypatch)
    later = SimpleNamespace(time=lambda: time.time() + 600 - ANSWER_IN + 1)
    monkeypatch.setattr("higgsdemo.clusters.tokens.time", later)
    provider = provider_of(cloud.run())
    assert isinstance(provider, TokenProvider)
    kind, token = type(provider), type(provider).token
    given: list[Token] = []

    def give(self: TokenProvider) -> Token:
        given.append(token(self))
        return given[-1]

    monkeypatch.setattr(kind, "token", give)
    assert wait_for_a_job(cloud, seconds=0.5) == {"finished": True}
    first = 2  # of who makes the Job, and of the wait
    assert (len(given) > first, cloud.gate.clusters[NAME].refused) == (True, 0)


def test_a_wait_outlives_the_tokens_that_the_cluster_takes(cloud: Cloud) -> None:
    created(cloud.run())
    assert wait_for_a_job(cloud, seconds=3, disturb=cloud.forget_tokens) == {"finished": True}
    there = cloud.gate.clusters[NAME]
    assert (len(there.tokens) > 1, there.refused > 0) == (True, True)

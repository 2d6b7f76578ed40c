"""Clusters of GKE, on a server of its API, with the nodes of real clusters behind it."""

import json
from pathlib import Path
from typing import Any

import grpc
import pytest
from airflow.sdk.exceptions import AirflowSkipException
from google.api_core.retry import Retry, if_exception_type
from google.cloud import container_v1 as gke
from kubernetes.client import CoreV1Api

from clouds.google import PROJECT, Google
from clouds.tasks import carry_out, first_event
from clouds.waits import wait_for_a_job
from higgsdemo.clusters import ClusterError, Phase, provider_of
from higgsdemo.clusters.gke import PASSING
from higgsdemo.clusters.gke_request import label_value
from higgsdemo.clusters.tokens import HEADROOM
from higgsdemo.operators.base import TaskFailed, TaskFailedForGood
from higgsdemo.operators.clusters import CreateClusterOperator, DeleteClusterOperator
from higgsdemo.run import ClusterRun
from higgsdemo.triggers.cluster import ClusterTrigger
from planned_runs import planned

MANIFESTS = Path(__file__).parents[1] / "manifests"
NAME = "kubecon-demo-0"
LINK = f"projects/{PROJECT}/locations/europe-west4/clusters/{NAME}"
PODS = f"pods@{PROJECT}.iam.gserviceaccount.com"


def run(campaign: str = "higgs-full", gke: dict[str, Any] | None = None, **cluster: Any) -> ClusterRun:
    """A planned run on GKE that removes its clusters."""
    fields = {
        "provider": "gke",
        "connection": "google",
        "location": "europe-west4",
        "flavor": "n1-highmem-16",
    }
    options = {"gke": {"subnet_range": "10.110.0.0/21"} | (gke or {})}
    return planned(run={"campaign": campaign, "cleanup": "clusters"}, cluster=fields | options | cluster)


def created(planned: ClusterRun) -> Any:
    return carry_out(CreateClusterOperator, planned)


def deleted(planned: ClusterRun) -> Any:
    return carry_out(DeleteClusterOperator, planned)


def sent(google: Google) -> Any:
    """What the last cluster was asked to be, without fields that were not given."""
    shown = {"use_integers_for_enums": False, "always_print_fields_with_no_presence": False}
    return json.loads(gke.Cluster.to_json(google.created[-1], **shown))


def expected(name: str) -> Any:
    return json.loads((MANIFESTS / f"{name}.json").read_text())


def test_a_cluster_is_made_and_answers(google: Google) -> None:
    assert created(run()) == {"cluster_name": NAME, "provider": "gke"}
    assert list(google.clusters) == [LINK]
    assert len(CoreV1Api(provider_of(run()).connect()).list_node().items) == 2
    assert google.gate.clusters[NAME].refused == 0


def test_the_request_is_the_reviewed_one(google: Google) -> None:
    provider_of(run()).create()
    assert sent(google) == expected("gke-cluster")


def test_the_request_with_every_option_is_the_reviewed_one(google: Google) -> None:
    options = {
        "disk_gb": 200,
        "disk_type": "pd-balanced",
        "local_ssds": 2,
        "spot": True,
        "min_nodes": 1,
        "max_nodes": 30,
        "zones": ["europe-west4-a"],
        "network": "physics",
        "release_channel": "stable",
        "service_account": f"nodes@{PROJECT}.iam.gserviceaccount.com",
    }
    provider_of(run(gke=options, dpath="/mnt/disks/ssd0", pod_identity=PODS)).create()
    assert sent(google) == expected("gke-cluster-options")


def test_a_project_of_the_campaign_wins_over_the_connections(google: Google) -> None:
    provider_of(run(gke={"project": "another-project"})).create()
    assert list(google.clusters) == [LINK.replace(PROJECT, "another-project")]


def test_a_cluster_is_deleted(google: Google) -> None:
    created(run())
    assert deleted(run()) == {"cluster_name": NAME}
    assert (google.clusters, google.deleted) == ({}, [LINK])
    assert provider_of(run()).state().phase == Phase.ABSENT


def test_what_is_there_with_the_same_shape_is_adopted(google: Google) -> None:
    created(run())
    assert created(run()) == {"cluster_name": NAME, "provider": "gke"}
    assert len(google.created) == 1


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"flavor": "n2-standard-8"}, "flavor is n1-highmem-16, wanted n2-standard-8"),
        ({"nodes": 3}, "nodes is 2, wanted 3"),
        ({"dpath": "/mnt/disks/ssd0"}, "local_ssds is 0, wanted 1"),
        ({"gke": {"subnet_range": "10.111.0.0/21"}}, "subnet_range is 10.110.0.0/21, wanted 10.111.0.0/21"),
        ({"gke": {"max_nodes": 9}}, "min_nodes is none, wanted 2; max_nodes is none, wanted 9"),
        ({"pod_identity": PODS}, f"workload identity is none, wanted {PROJECT}.svc.id.goog"),
    ],
)
def test_what_is_there_with_another_shape_is_refused_by_the_difference(
    google: Google, change: dict[str, Any], difference: str
) -> None:
    created(run())
    with pytest.raises(TaskFailedForGood) as refused:
        created(run(**change))
    assert str(refused.value) == (
        f"cluster {NAME} is there already with another shape: {difference}. Change the campaign, or remove "
        "the cluster (stage 'cleanup' with cleanup 'clusters')"
    )


def test_the_cluster_of_another_campaign_is_neither_adopted_nor_deleted(google: Google) -> None:
    created(run("higgs-minimal"))
    with pytest.raises(TaskFailedForGood, match="made by the campaign higgs-minimal: give this"):
        created(run())
    with pytest.raises(AirflowSkipException, match=f"there is no cluster {NAME} of ours to delete"):
        deleted(run())
    assert google.deleted == []


def test_somebodys_cluster_is_neither_adopted_nor_deleted(google: Google) -> None:
    google.clusters[LINK] = gke.Cluster(name=NAME, status=gke.Cluster.Status.RUNNING)
    with pytest.raises(TaskFailedForGood, match="was not made by a campaign: give this one another name"):
        created(run())
    with pytest.raises(AirflowSkipException):
        deleted(run())


def test_a_retry_makes_what_has_failed_anew(google: Google) -> None:
    google.failures = ["Insufficient regional quota: CPUS"]
    with pytest.raises(TaskFailed) as failed:
        created(run())
    assert str(failed.value) == f"cluster {NAME} has failed: ERROR; Insufficient regional quota: CPUS"
    assert created(run()) == {"cluster_name": NAME, "provider": "gke"}
    assert google.deleted == [LINK]


def test_cleanup_finds_what_has_failed(google: Google) -> None:
    google.failures = ["Insufficient regional quota: CPUS"]
    with pytest.raises(TaskFailed):
        created(run())
    assert deleted(run()) == {"cluster_name": NAME}
    assert google.clusters == {}


@pytest.mark.parametrize(
    ("status", "nodes"), [(gke.Cluster.Status.RECONCILING, ""), (gke.Cluster.Status.RUNNING, "default-pool")]
)
def test_a_cluster_that_is_busy_is_deleted_once_it_is_not(
    google: Google, status: gke.Cluster.Status, nodes: str
) -> None:
    created(run())
    google.upgrade(LINK, status, nodes)
    assert provider_of(run()).state().phase == Phase.UPDATING
    assert created(run()) == {"cluster_name": NAME, "provider": "gke"}  # it takes Jobs meanwhile
    google.upgrade(LINK, status, nodes)
    assert deleted(run()) == {"cluster_name": NAME}
    assert google.deleted == [LINK]


def test_a_deletion_that_is_refused_though_nothing_is_at_work_says_why(google: Google) -> None:
    created(run())
    google.held = "the cluster is protected"
    with pytest.raises(TaskFailedForGood, match=r"cannot delete the cluster on GKE: Failed.*protected"):
        deleted(run())


def test_a_deletion_that_has_failed_is_repeated(google: Google) -> None:
    created(run())
    google.failures = ["the subnetwork is in use"]
    assert deleted(run()) == {"cluster_name": NAME}
    assert (google.failures, google.clusters) == ([], {})


def test_a_creation_that_leaves_nothing_tells_its_reason(google: Google) -> None:
    provider = provider_of(run())
    provider.create()
    google.operations[-1].error.code = 8
    google.operations[-1].error.message = "no capacity"
    google.operations[-1].status = gke.Operation.Status.DONE
    google.clusters.clear()
    assert provider.state() == (Phase.FAILED, "no capacity")
    assert created(run()) == {"cluster_name": NAME, "provider": "gke"}


def test_a_cluster_that_is_still_being_made_is_waited_for_and_then_deleted(google: Google) -> None:
    provider_of(run()).create()
    assert deleted(run()) == {"cluster_name": NAME}
    assert google.deleted == [LINK]


def test_a_cluster_that_is_being_deleted_is_waited_for_and_made_anew(google: Google) -> None:
    created(run())
    provider_of(run()).delete()
    assert created(run()) == {"cluster_name": NAME, "provider": "gke"}
    assert len(google.created) == 2


def quick_retry(seconds: float) -> Retry:
    return Retry(predicate=if_exception_type(*PASSING), initial=0.01, maximum=0.01, timeout=seconds)


def test_what_passes_is_asked_again_within_a_call(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("higgsdemo.clusters.gke.RETRY", quick_retry(10))
    google.faults = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED]
    provider_of(run()).create()
    assert len(google.created) == 1


def test_what_passes_later_is_waited_out(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("higgsdemo.clusters.gke.RETRY", quick_retry(0.01))
    provider_of(run()).create()
    google.faults = [grpc.StatusCode.DEADLINE_EXCEEDED] * 3 + [grpc.StatusCode.UNAVAILABLE] * 3
    assert first_event(ClusterTrigger(run().model_dump(mode="json"), 0.01, None)) == {"phase": "running"}
    assert google.faults == []


def test_an_operation_that_never_ends_is_given_up(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    google.polls = 1000
    provider_of(run()).create()
    monkeypatch.setattr("higgsdemo.triggers.cluster.LONGEST", 0.1)
    event = first_event(ClusterTrigger(run().model_dump(mode="json"), 0.05, None))
    assert event["error"].startswith(f"cluster {NAME} is still provisioning after")
    assert event["error"].endswith("PROVISIONING; working on it")


def test_a_refusal_says_its_reason(google: Google) -> None:
    google.faults = [grpc.StatusCode.PERMISSION_DENIED]
    with pytest.raises(ClusterError) as refused:
        provider_of(run()).state()
    assert str(refused.value) == (
        f"cluster {NAME}: cannot look up the cluster on GKE: PermissionDenied: PERMISSION_DENIED, as the "
        "test wants it"
    )


def test_a_connection_without_a_project_is_told_so(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.loads(google.connection())
    del document["extra"]["project"], document["extra"]["keyfile_dict"]["project_id"]
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", json.dumps(document))
    with pytest.raises(ClusterError, match=r"no Google Cloud project; name it in the campaign \(gke"):
        provider_of(run()).state()


def test_a_token_is_renewed_before_it_ends(google: Google) -> None:
    created(run())
    google.tokens.seconds = HEADROOM + 2
    assert wait_for_a_job(run(), seconds=5) == {"succeeded": 1}
    assert len(google.gate.clusters[NAME].tokens) > 2
    assert google.gate.clusters[NAME].refused == 0


def test_a_wait_outlives_the_tokens_that_the_cluster_takes(google: Google) -> None:
    created(run())
    job = wait_for_a_job(run(), seconds=5, disturb=google.tokens.given.clear)
    assert job == {"succeeded": 1}
    assert google.gate.clusters[NAME].refused > 0


@pytest.mark.parametrize(
    ("campaign", "value"),
    [
        ("higgs-full", "higgs-full"),
        ("Higgs.2012", "higgs-2012-d43d6e3b"),
        ("h" * 70, "h" * 54 + "-a825caea"),
    ],
)
def test_a_label_is_one_that_google_takes(campaign: str, value: str) -> None:
    assert label_value(campaign) == value

"""What only GKE has: its requests and its operations; the rest is in test_every_cloud.py."""

import json
from pathlib import Path

import grpc
import pytest
from google.api_core.retry import Retry, if_exception_type
from google.cloud import container_v1 as gke

from clouds.contract import LINK, NAME, OnGke, created, deleted
from clouds.contract import run_on_gke as run
from clouds.google import PROJECT, Google
from clouds.tasks import first_event
from higgsdemo.clusters import ClusterError, Phase, provider_of
from higgsdemo.clusters.gke import PASSING
from higgsdemo.clusters.gke_request import label_value
from higgsdemo.operators.base import TaskFailedForGood
from higgsdemo.triggers.cluster import ClusterTrigger

MANIFESTS = Path(__file__).parents[1] / "manifests"
PODS = f"pods@{PROJECT}.iam.gserviceaccount.com"


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
        "image_disk": f"projects/{PROJECT}/global/images/cmssw",
    }
    provider_of(run(gke=options, dpath="/mnt/disks/ssd0", pod_identity=PODS)).create()
    assert OnGke(google).sent() == [json.loads((MANIFESTS / "gke-cluster-options.json").read_text())]


def test_pods_are_never_their_node_in_whose_name_google_would_give_them_tokens(google: Google) -> None:
    """Neither in a cluster that is made, whoever its pods are, nor in an older one that has its name."""
    created(run())
    asked = google.created[0]
    assert asked.node_pools[0].config.workload_metadata_config.mode.name == "GKE_METADATA"
    google.clusters[LINK].workload_identity_config = None
    with pytest.raises(TaskFailedForGood, match=f"workload identity is none, wanted {PROJECT}.svc.id.goog"):
        created(run())


def test_a_project_of_the_campaign_wins_over_the_connections(google: Google) -> None:
    provider_of(run(gke={"project": "another-project"})).create()
    assert list(google.clusters) == [LINK.replace(PROJECT, "another-project")]


def test_a_deletion_that_is_refused_though_nothing_is_at_work_says_why(google: Google) -> None:
    created(run())
    google.held = "the cluster is protected"
    with pytest.raises(TaskFailedForGood, match=r"cannot delete the cluster on GKE: Failed.*protected"):
        deleted(run())


def test_an_update_that_ends_just_after_it_has_kept_a_deletion_back_does_not_end_it(google: Google) -> None:
    created(run())
    google.polls = 1  # it is seen once at work, and is over when the refusal is looked into
    google.upgrade(LINK, gke.Cluster.Status.RECONCILING)
    assert provider_of(run()).delete()
    assert google.deleted == [LINK]


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
    assert provider.state()[:2] == (Phase.FAILED, "no capacity")
    assert created(run()) == {"cluster_name": NAME, "provider": "gke"}


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


def test_a_connection_without_a_project_is_told_so(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.loads(google.connection())
    del document["extra"]["project"], document["extra"]["keyfile_dict"]["project_id"]
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", json.dumps(document))
    with pytest.raises(ClusterError, match=r"no Google Cloud project; name it in the campaign \(gke"):
        provider_of(run()).state()


@pytest.mark.parametrize(
    ("campaign", "value"),
    [("higgs-full", "higgs-full"), ("Higgs.2012", "higgs-2012-d43d6e3b"), ("h" * 70, "h" * 54 + "-a825caea")],
)
def test_a_label_is_one_that_google_takes(campaign: str, value: str) -> None:
    assert label_value(campaign) == value

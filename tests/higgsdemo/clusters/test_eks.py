"""Clusters of EKS, on moto's implementation of its API, with the nodes of real clusters behind it."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from kubernetes.client import BatchV1Api, CoreV1Api

from clouds.amazon import REGION, Amazon, paths
from clouds.tasks import carry_out, first_event
from clouds.waits import wait_for_a_job
from higgsdemo.clusters import ClusterError, Phase, provider_of
from higgsdemo.clusters.tokens import HEADROOM
from higgsdemo.kubernetes.labels import labels
from higgsdemo.operators.base import TaskFailed, TaskFailedForGood
from higgsdemo.operators.clusters import CreateClusterOperator, DeleteClusterOperator
from higgsdemo.operators.created import note, noted
from higgsdemo.run import ClusterRun
from higgsdemo.triggers.cluster import ClusterTrigger
from localkube_server import indexed_job
from planned_runs import planned

MANIFESTS = Path(__file__).parents[1] / "manifests"
NAME = "kubecon-demo-0"
CLUSTER, NODES = f"/clusters/{NAME}", f"/clusters/{NAME}/node-groups/campaign"
EKS: dict[str, Any] = {
    "cluster_role": "arn:aws:iam::123456789012:role/eks-cluster",
    "node_role": "arn:aws:iam::123456789012:role/eks-node",
    "subnets": ["subnet-0a", "subnet-0b"],
}


def run(
    campaign: str = "higgs-full",
    eks: dict[str, Any] | None = None,
    airflow: str | None = None,
    **cluster: Any,
) -> ClusterRun:
    """A planned run on EKS that removes its clusters."""
    fields = {"provider": "eks", "connection": "amazon", "location": REGION, "flavor": "m5.4xlarge"}
    options = {"eks": EKS | (eks or {})}
    return planned(
        run={"campaign": campaign, "cleanup": "clusters", "airflow": airflow},
        cluster=fields | options | cluster,
    )


def created(planned: ClusterRun) -> Any:
    return carry_out(CreateClusterOperator, planned)


def deleted(planned: ClusterRun) -> Any:
    return carry_out(DeleteClusterOperator, planned)


def sent(amazon: Amazon) -> list[Any]:
    """The bodies of what was to be made, without the token that makes a repeated request one."""
    return [{k: v for k, v in body.items() if k != "clientRequestToken"} for _, body in amazon.asked("POST")]


def expected(name: str) -> Any:
    return json.loads((MANIFESTS / f"{name}.json").read_text())


def test_a_cluster_is_made_with_its_nodes_and_answers(amazon: Amazon) -> None:
    assert created(run()) == {"cluster_name": NAME, "provider": "eks"}
    assert paths(amazon.asked("POST")) == ["/clusters", f"{CLUSTER}/node-groups"]
    nodes = amazon.gate.objects(NAME, "/api/v1/nodes")
    assert len(nodes) == 2
    assert len(CoreV1Api(provider_of(run()).connect()).list_node().items) == 2
    assert amazon.gate.clusters[NAME].refused == 0


def test_the_requests_are_the_reviewed_ones(amazon: Amazon) -> None:
    created(run())
    assert sent(amazon) == [expected("eks-cluster"), expected("eks-nodegroup")]


def test_the_options_are_in_the_requests(amazon: Amazon) -> None:
    options = {
        "spot": True,
        "disk_gb": 200,
        "min_nodes": 1,
        "max_nodes": 9,
        "security_groups": ["sg-0c"],
        "version": "1.34",
    }
    created(run(eks=options))
    cluster, nodes = sent(amazon)
    assert cluster["version"] == "1.34"
    assert cluster["resourcesVpcConfig"]["securityGroupIds"] == ["sg-0c"]
    assert (nodes["capacityType"], nodes["diskSize"]) == ("SPOT", 200)
    assert nodes["scalingConfig"] == {"minSize": 1, "maxSize": 9, "desiredSize": 2}


def test_nodes_are_deleted_before_their_cluster(amazon: Amazon) -> None:
    created(run())
    assert deleted(run()) == {"cluster_name": NAME}
    assert paths(amazon.asked("DELETE")) == [NODES, CLUSTER]
    assert provider_of(run()).state().phase == Phase.ABSENT
    assert amazon.client("eks").list_clusters()["clusters"] == []


def test_what_is_there_with_the_same_shape_is_adopted(amazon: Amazon) -> None:
    created(run())
    amazon.requests.clear()
    assert created(run()) == {"cluster_name": NAME, "provider": "eks"}
    assert amazon.asked("POST") == []


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"flavor": "m5.large"}, "flavor is m5.4xlarge, wanted m5.large"),
        ({"nodes": 3}, "min_nodes is 2, wanted 3; max_nodes is 2, wanted 3; nodes is 2, wanted 3"),
        ({"eks": {"spot": True}}, "spot is False, wanted True"),
        (
            {"eks": {"cluster_role": "arn:aws:iam::123456789012:role/other"}},
            "role is arn:aws:iam::123456789012:role/eks-cluster, wanted arn:aws:iam::123456789012:role/other",
        ),
    ],
)
def test_what_is_there_with_another_shape_is_refused_by_the_difference(
    amazon: Amazon, change: dict[str, Any], difference: str
) -> None:
    created(run())
    with pytest.raises(TaskFailedForGood) as refused:
        created(run(**change))
    assert str(refused.value) == (
        f"cluster {NAME} is there already with another shape: {difference}. Change the campaign, or remove "
        "the cluster (stage 'cleanup' with cleanup 'clusters')"
    )


def test_the_number_of_nodes_is_no_difference_where_it_follows_the_pods(amazon: Amazon) -> None:
    created(run(eks={"min_nodes": 1, "max_nodes": 9}))
    amazon.client("eks").update_nodegroup_config(
        clusterName=NAME,
        nodegroupName="campaign",
        scalingConfig={"minSize": 1, "maxSize": 9, "desiredSize": 7},
    )
    created(run(eks={"min_nodes": 1, "max_nodes": 9}))


def test_the_cluster_of_another_campaign_is_neither_adopted_nor_deleted(amazon: Amazon) -> None:
    created(run("higgs-minimal"))
    with pytest.raises(TaskFailedForGood, match="made by the campaign higgs-minimal: give this"):
        created(run())
    with pytest.raises(AirflowSkipException, match=f"there is no cluster {NAME} of ours to delete"):
        deleted(run())
    assert amazon.asked("DELETE") == []


def test_somebodys_cluster_is_neither_adopted_nor_deleted(amazon: Amazon) -> None:
    amazon.client("eks").create_cluster(
        name=NAME, roleArn=EKS["cluster_role"], resourcesVpcConfig={"subnetIds": EKS["subnets"]}
    )
    with pytest.raises(TaskFailedForGood, match="was not made by a campaign: give this one another name"):
        created(run())
    with pytest.raises(AirflowSkipException):
        deleted(run())


def test_a_cluster_that_is_not_there_needs_no_deletion(amazon: Amazon) -> None:
    with pytest.raises(AirflowSkipException, match=f"there is no cluster {NAME} of ours to delete"):
        deleted(run())


@pytest.mark.parametrize("part", [CLUSTER, NODES])
def test_a_retry_makes_what_has_failed_anew(amazon: Amazon, part: str) -> None:
    amazon.broken[part] = "no capacity in eu-west-1a"
    with pytest.raises(TaskFailed, match=f"cluster {NAME} has failed: .*Broken: no capacity in eu-west-1a"):
        created(run())
    assert created(run()) == {"cluster_name": NAME, "provider": "eks"}
    assert paths(amazon.asked("DELETE")) == [part]


@pytest.mark.parametrize("part", [CLUSTER, NODES])
def test_cleanup_finds_what_has_failed(amazon: Amazon, part: str) -> None:
    amazon.broken[part] = "no capacity"
    with pytest.raises(TaskFailed):
        created(run())
    assert deleted(run()) == {"cluster_name": NAME}
    assert amazon.client("eks").list_clusters()["clusters"] == []


def test_a_cloud_that_is_away_at_cleanup_is_asked_until_it_answers(amazon: Amazon) -> None:
    created(run())
    amazon.faults += [(503, "ServiceUnavailableException")] * 6
    assert deleted(run()) == {"cluster_name": NAME}
    assert amazon.client("eks").list_clusters()["clusters"] == []


def test_a_deletion_that_is_refused_fails_for_good(amazon: Amazon) -> None:
    created(run())
    amazon.faults += [(403, "AccessDeniedException")]
    with pytest.raises(TaskFailedForGood, match="AccessDeniedException"):
        deleted(run())


def test_a_cloud_that_stays_away_is_given_up_in_the_end(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    created(run())
    monkeypatch.setattr("higgsdemo.triggers.cluster.DELETED_IN", 0.0)
    amazon.faults += [(503, "ServiceUnavailableException")] * 9
    with pytest.raises(TaskFailedForGood, match="ServiceUnavailable"):
        deleted(run())


def test_a_cluster_that_appears_only_after_the_first_look_is_deleted(amazon: Amazon) -> None:
    note(run())  # as `create_cluster` does before it asks
    appearing = threading.Timer(0.5, provider_of(run()).create)
    appearing.start()
    assert deleted(run()) == {"cluster_name": NAME}
    appearing.join()
    assert amazon.client("eks").list_clusters()["clusters"] == []
    assert noted() == []


def test_a_creation_that_never_appears_is_not_waited_for_without_end(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("higgsdemo.triggers.cluster.APPEARS_IN", 0.1)
    note(run())
    with pytest.raises(AirflowSkipException, match="of ours to delete"):
        deleted(run())


@pytest.mark.parametrize(
    ("change", "stays"), [({"higgsdemo/run": "earlier"}, False), ({"higgsdemo/campaign": "other"}, True)]
)
def test_a_cluster_stays_while_another_run_has_jobs_there(
    amazon: Amazon, change: dict[str, str], stays: bool
) -> None:
    created(run())
    api = provider_of(run()).connect()
    CoreV1Api(api).create_namespace({"metadata": {"name": "higgs"}})
    job = indexed_job("at-work", "true", 1)
    job["metadata"]["labels"] = labels(run().run) | change
    job["spec"]["parallelism"] = 0  # it neither runs nor ends
    BatchV1Api(api).create_namespaced_job("higgs", job)
    if not stays:
        assert deleted(run()) == {"cluster_name": NAME}
        return
    with pytest.raises(AirflowSkipException, match=f"cluster {NAME} stays: the run .* of other uses it"):
        deleted(run())
    BatchV1Api(api).patch_namespaced_job("at-work", "higgs", {"spec": {"suspend": True}})
    assert deleted(run()) == {"cluster_name": NAME}


def test_the_cluster_of_another_airflow_is_neither_adopted_nor_deleted(amazon: Amazon) -> None:
    created(run(airflow="theirs"))
    with pytest.raises(TaskFailedForGood, match="made by the campaign higgs-full in another Airflow"):
        created(run(airflow="ours"))
    with pytest.raises(AirflowSkipException, match="of ours to delete"):
        deleted(run(airflow="ours"))
    assert amazon.asked("DELETE") == []


def test_a_cluster_that_names_no_airflow_is_adopted_and_deleted(amazon: Amazon) -> None:
    created(run())  # as before Airflows had names
    assert created(run(airflow="ours")) == {"cluster_name": NAME, "provider": "eks"}
    assert deleted(run(airflow="ours")) == {"cluster_name": NAME}


def test_a_control_plane_that_was_left_without_nodes_is_completed(amazon: Amazon) -> None:
    provider = provider_of(run())
    provider.create()
    while provider.state().phase == Phase.PROVISIONING:
        pass
    assert provider.state() == (Phase.INCOMPLETE, "the control plane has no nodes")
    created(run())
    assert paths(amazon.asked("POST")) == ["/clusters", f"{CLUSTER}/node-groups"]


def test_a_cluster_that_is_still_being_made_is_waited_for_and_then_deleted(amazon: Amazon) -> None:
    provider_of(run()).create()
    assert deleted(run()) == {"cluster_name": NAME}


def test_nodes_that_are_being_deleted_are_waited_for_and_made_anew(amazon: Amazon) -> None:
    created(run())
    provider_of(run()).delete()
    assert created(run()) == {"cluster_name": NAME, "provider": "eks"}
    assert paths(amazon.asked("POST")) == ["/clusters", f"{CLUSTER}/node-groups", f"{CLUSTER}/node-groups"]


@pytest.mark.parametrize("part", [CLUSTER, NODES])
def test_a_cluster_that_is_busy_is_deleted_once_it_is_not(amazon: Amazon, part: str) -> None:
    created(run())
    amazon.update(part)
    assert provider_of(run()).state().phase == Phase.UPDATING
    assert created(run()) == {"cluster_name": NAME, "provider": "eks"}  # it takes Jobs meanwhile
    amazon.update(part)
    assert deleted(run()) == {"cluster_name": NAME}
    *nodes, last = paths(amazon.asked("DELETE"))
    assert ({*nodes}, len(nodes) > 1, last) == ({NODES}, True, CLUSTER)  # refused once at least
    assert amazon.client("eks").list_clusters()["clusters"] == []


def test_a_control_plane_that_is_busy_gets_its_nodes_once_it_is_not(amazon: Amazon) -> None:
    provider = provider_of(run())
    provider.create()
    while provider.state().phase == Phase.PROVISIONING:
        pass
    amazon.update(CLUSTER)
    assert created(run()) == {"cluster_name": NAME, "provider": "eks"}
    assert paths(amazon.asked("POST")) == ["/clusters", f"{CLUSTER}/node-groups"]


def test_what_passes_is_waited_out(amazon: Amazon) -> None:
    provider = provider_of(run())
    provider.create()
    amazon.faults += [(429, "ThrottlingException"), (503, "ServiceUnavailableException"), (500, "Oops")]
    trigger = ClusterTrigger(run().model_dump(mode="json"), 0.01, None)
    assert first_event(trigger) == {"phase": "incomplete"}
    assert amazon.faults == []


def test_a_refusal_ends_the_wait_with_its_reason(amazon: Amazon) -> None:
    amazon.faults += [(403, "AccessDeniedException")]
    with pytest.raises(ClusterError) as refused:
        provider_of(run()).state()
    assert str(refused.value) == (
        f"cluster {NAME}: cannot look up the cluster on EKS: AccessDeniedException: AccessDeniedException, "
        "as the test wants it"
    )


def test_a_cluster_that_is_not_there_cannot_be_reached(amazon: Amazon) -> None:
    with pytest.raises(ClusterError, match=f"cluster {NAME} cannot be reached: it is absent; run the stage"):
        provider_of(run()).connect()


def test_a_token_is_renewed_before_it_ends(amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> None:
    created(run())
    monkeypatch.setattr("higgsdemo.clusters.eks.TOKEN_SECONDS", HEADROOM + 1)
    assert wait_for_a_job(run(), seconds=4) == {"succeeded": 1}
    assert len(amazon.gate.clusters[NAME].tokens) > 2
    assert amazon.gate.clusters[NAME].refused == 0


def test_a_wait_outlives_the_tokens_that_the_cluster_takes(amazon: Amazon) -> None:
    created(run())
    amazon.token_seconds = 2
    assert wait_for_a_job(run(), seconds=5) == {"succeeded": 1}
    assert len(amazon.gate.clusters[NAME].tokens) > 1
    assert amazon.gate.clusters[NAME].refused > 0

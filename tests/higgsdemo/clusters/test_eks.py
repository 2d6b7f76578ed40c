"""What only EKS has: a control plane apart from its nodes; the rest is in test_every_cloud.py."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from clouds.amazon import Amazon, paths
from clouds.contract import CLUSTER, NAME, OnEks, created, deleted
from clouds.contract import run_on_eks as run
from clouds.tasks import first_event
from higgsdemo.clusters import Phase, provider_of
from higgsdemo.clusters.eks import EksProvider
from higgsdemo.operators.base import TaskFailedForGood
from higgsdemo.triggers.cluster import ClusterTrigger


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
    cluster, nodes = OnEks(amazon).sent()
    assert cluster["version"] == "1.34"
    assert cluster["resourcesVpcConfig"]["securityGroupIds"] == ["sg-0c"]
    assert (nodes["capacityType"], nodes["diskSize"]) == ("SPOT", 200)
    assert nodes["scalingConfig"] == {"minSize": 1, "maxSize": 9, "desiredSize": 2}


def test_the_page_names_each_right_that_is_used_and_no_other(repository: Path) -> None:
    code = (repository / "plugins/higgsdemo/clusters/eks.py").read_text()
    asked = re.findall(r'"((?:create|delete|describe|list)_\w+)"', code)
    used = {"TagResource", *(operation.title().replace("_", "") for operation in asked)}
    named = set(re.findall(r"`eks:([A-Za-z*]+)`", (repository / "docs/clouds.md").read_text()))
    assert [one for one in used if not any(fnmatchcase(one, right) for right in named)] == []
    assert [right for right in named if not any(fnmatchcase(one, right) for one in used)] == []


def test_the_number_of_nodes_is_no_difference_where_it_follows_the_pods(amazon: Amazon) -> None:
    created(run(eks={"min_nodes": 1, "max_nodes": 9}))
    amazon.client("eks").update_nodegroup_config(
        clusterName=NAME,
        nodegroupName="campaign",
        scalingConfig={"minSize": 1, "maxSize": 9, "desiredSize": 7},
    )
    created(run(eks={"min_nodes": 1, "max_nodes": 9}))


def test_a_cloud_that_is_away_at_cleanup_is_asked_until_it_answers(amazon: Amazon) -> None:
    created(run())
    amazon.faults += [(503, "ServiceUnavailableException")] * 6
    assert deleted(run()) == {"cluster_name": NAME}
    assert amazon.client("eks").list_clusters()["clusters"] == []


def test_a_cloud_that_stays_away_is_given_up_in_the_end(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    created(run())
    monkeypatch.setattr("higgsdemo.triggers.cluster.DELETED_IN", 0.0)
    amazon.faults += [(503, "ServiceUnavailableException")] * 9
    with pytest.raises(TaskFailedForGood, match="ServiceUnavailable"):
        deleted(run())


def test_a_cluster_that_goes_between_two_requests_is_deleted(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    created(run())
    provider = provider_of(run())
    assert isinstance(provider, EksProvider)
    there = provider._cluster()
    deleted(run())
    monkeypatch.setattr(provider, "_cluster", lambda: there)
    amazon.faults += [(404, "ResourceNotFoundException")]  # moto would fail at a list of what is not there
    assert provider.delete()


@pytest.mark.parametrize("busy", [False, True])
def test_a_control_plane_that_was_left_without_nodes_is_completed_once_it_is_not_busy(
    amazon: Amazon, busy: bool
) -> None:
    provider = provider_of(run())
    provider.create()
    while provider.state().phase == Phase.PROVISIONING:
        pass
    assert provider.state()[:2] == (Phase.INCOMPLETE, "the control plane has no nodes")
    if busy:
        amazon.update(CLUSTER)
    assert created(run()) == OnEks.made
    assert paths(amazon.asked("POST")) == ["/clusters", f"{CLUSTER}/node-groups"]


def test_what_passes_is_waited_out(amazon: Amazon) -> None:
    provider = provider_of(run())
    provider.create()
    amazon.faults += [(429, "ThrottlingException"), (503, "ServiceUnavailableException"), (500, "Oops")]
    trigger = ClusterTrigger(run().model_dump(mode="json"), 0.01, None)
    assert first_event(trigger) == {"phase": "incomplete"}
    assert amazon.faults == []

"""Which node a pod gets, and what is told when it gets none."""

import pytest

from localkube_server import Kube, Server, eventually, shell_space
from space import Space

ROOM = {"resources": {"requests": {"cpu": "3"}}}


@pytest.fixture(scope="module")
def kube(server: Server) -> Kube:
    """Return a cluster of its own: two nodes of four CPUs."""
    return server.create_cluster("scheduling", nodes=2, cpu="4", memory="8Gi", pods=5, labels={"disk": "ssd"})


def test_a_pod_waits_until_there_is_room(space: Space) -> None:
    first, *_ = [space.make(space.pod("sleep 60", name, container=ROOM)) for name in ("a", "b", "c")]
    assert space.unschedulable("c") == "0/2 nodes are available: 2 Insufficient cpu."
    nodes = {space.pod_now(name).spec.node_name for name in ("a", "b")}
    assert nodes == {"scheduling-node-0", "scheduling-node-1"}
    space.kube.core.delete_namespaced_pod(first.metadata.name, space.namespace)
    space.running_pod("c")


def test_a_tainted_node_gets_only_pods_that_tolerate_it(kube: Kube, space: Space) -> None:
    taints = [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]
    for node in ("scheduling-node-0", "scheduling-node-1"):
        kube.core.patch_node(node, {"spec": {"taints": taints}})
        taints = [taints[0] | {"key": "disk"}]
    try:
        space.make(space.pod("true", "p"))
        assert space.unschedulable("p") == (
            "0/2 nodes are available: 1 node(s) had untolerated taint(s) {disk: yes}, "
            "1 node(s) had untolerated taint(s) {gpu: yes}."
        )
        space.make(space.pod("true", "tolerant", tolerations=[{"key": "disk", "operator": "Exists"}]))
        assert space.ended_pod("tolerant").spec.node_name == "scheduling-node-1"
    finally:
        for node in ("scheduling-node-0", "scheduling-node-1"):
            kube.core.patch_node(node, {"spec": {"taints": None}})
    assert space.ended_pod("p").status.phase == "Succeeded"


def test_a_node_takes_no_more_pods_than_it_may(space: Space) -> None:
    space.make(space.indexed_job("sleep 60", 11))

    def waiting() -> list[str]:
        phases = [pod.status.phase for pod in space.pods()]
        left = [pod for pod in space.pods() if pod.spec.node_name is None]
        told = [one.message for pod in left for one in pod.status.conditions or []]
        return told if sorted(phases) == ["Pending", *["Running"] * 10] else []

    assert eventually(waiting) == ["0/2 nodes are available: 2 Too many pods."]


def test_pods_of_one_job_are_spread_over_the_nodes(space: Space) -> None:
    requests = {"container": {"resources": {"requests": {"cpu": "1"}}}}
    space.run_job(space.indexed_job("true", 4, pod=requests))
    nodes = [one.spec.node_name for one in space.pods()]
    assert sorted(nodes) == ["scheduling-node-0"] * 2 + ["scheduling-node-1"] * 2


def test_the_pods_of_a_deleted_node_are_disrupted(server: Server) -> None:
    space = shell_space(server.create_cluster("shrinking", nodes=2))
    policy = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}
    space.make(space.indexed_job("sleep 2", 2, backoffLimitPerIndex=0, podFailurePolicy=policy))
    space.ready_pods(2)
    space.kube.core.delete_node("shrinking-node-0")
    status = space.ended_job()
    assert (status.succeeded, status.failed) == (2, None)
    assert {one.spec.node_name for one in space.pods()} == {"shrinking-node-1"}

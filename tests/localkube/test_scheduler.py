"""Which node a pod gets, and what is told when it gets none."""

from typing import Any

import pytest

from localkube_server import Kube, Server, eventually, indexed_job, job_ended, pod, pod_ended, pod_running

ROOM = {"resources": {"requests": {"cpu": "3"}}}


@pytest.fixture(scope="module")
def kube(server: Server) -> Kube:
    """Return a cluster of its own: two nodes of four CPUs."""
    return server.create_cluster("scheduling", nodes=2, cpu="4", memory="8Gi", pods=5, labels={"disk": "ssd"})


def unschedulable(kube: Kube, namespace: str, name: str) -> str:

    def look() -> Any:
        found = kube.core.read_namespaced_pod(name, namespace).status.conditions or []
        return next((one.message for one in found if one.reason == "Unschedulable"), None)

    return str(eventually(look, f"{name} cannot be scheduled"))


def test_a_pod_waits_until_there_is_room(kube: Kube, namespace: str) -> None:
    for name in ("a", "b", "c"):
        kube.core.create_namespaced_pod(namespace, pod(name, "sleep 60", container=ROOM))
    assert unschedulable(kube, namespace, "c") == "0/2 nodes are available: 2 Insufficient cpu."
    nodes = {kube.core.read_namespaced_pod(name, namespace).spec.node_name for name in ("a", "b")}
    assert nodes == {"scheduling-node-0", "scheduling-node-1"}
    kube.core.delete_namespaced_pod("a", namespace)
    pod_running(kube, namespace, "c")


def test_a_tainted_node_gets_only_pods_that_tolerate_it(kube: Kube, namespace: str) -> None:
    taints = [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]
    for node in ("scheduling-node-0", "scheduling-node-1"):
        kube.core.patch_node(node, {"spec": {"taints": taints}})
        taints = [taints[0] | {"key": "disk"}]
    try:
        kube.core.create_namespaced_pod(namespace, pod("p", "true"))
        assert unschedulable(kube, namespace, "p") == (
            "0/2 nodes are available: 1 node(s) had untolerated taint(s) {disk: yes}, "
            "1 node(s) had untolerated taint(s) {gpu: yes}."
        )
        tolerant = pod("t", "true", tolerations=[{"key": "disk", "operator": "Exists"}])
        kube.core.create_namespaced_pod(namespace, tolerant)
        assert pod_ended(kube, namespace, "t").spec.node_name == "scheduling-node-1"
    finally:
        for node in ("scheduling-node-0", "scheduling-node-1"):
            kube.core.patch_node(node, {"spec": {"taints": None}})
    assert pod_ended(kube, namespace, "p").status.phase == "Succeeded"


def test_a_node_takes_no_more_pods_than_it_may(kube: Kube, namespace: str) -> None:
    kube.batch.create_namespaced_job(namespace, indexed_job("j", "sleep 60", 11))

    def running() -> int:
        return len(kube.core.list_namespaced_pod(namespace, field_selector="status.phase=Running").items)

    eventually(lambda: running() == 10)
    waiting = kube.core.list_namespaced_pod(namespace, field_selector="spec.nodeName=").items
    why = unschedulable(kube, namespace, waiting[0].metadata.name)
    assert why == "0/2 nodes are available: 2 Too many pods."


def test_pods_of_one_job_are_spread_over_the_nodes(kube: Kube, namespace: str) -> None:
    requests = {"resources": {"requests": {"cpu": "1"}}}
    job = indexed_job("j", "true", 4)
    job["spec"]["template"]["spec"]["containers"][0] |= requests
    kube.batch.create_namespaced_job(namespace, job)
    job_ended(kube, namespace, "j")
    nodes = [one.spec.node_name for one in kube.core.list_namespaced_pod(namespace).items]
    assert sorted(nodes) == ["scheduling-node-0"] * 2 + ["scheduling-node-1"] * 2


def test_the_pods_of_a_deleted_node_are_disrupted(server: Server, namespace: str) -> None:
    own = server.create_cluster("shrinking", nodes=2)
    policy = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}
    own.batch.create_namespaced_job(
        "default", indexed_job("j", "sleep 2", 2, backoffLimitPerIndex=0, podFailurePolicy=policy)
    )
    eventually(lambda: own.batch.read_namespaced_job("j", "default").status.ready == 2)
    own.core.delete_node("shrinking-node-0")
    status = job_ended(own, "default", "j").status
    assert (status.succeeded, status.failed) == (2, None)
    assert {one.spec.node_name for one in own.core.list_namespaced_pod("default").items} == {
        "shrinking-node-1"
    }

"""Nodes, scheduling and disruption.

The authority: kubernetes.io/docs/concepts/scheduling-eviction ("Scheduling" below).
"""

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException
from kubernetes.utils.quantity import parse_quantity

from kube_client import Kube
from space import SLEEP, Space, soon

HOSTNAME = "kubernetes.io/hostname"


def schedulable(kube: Kube) -> list[Any]:
    """Return the nodes that take pods without tolerations."""
    nodes = kube.core.list_node().items
    return [
        node
        for node in nodes
        if not any(taint.effect in ("NoSchedule", "NoExecute") for taint in node.spec.taints or [])
    ]


@pytest.fixture
def node(kube: Kube) -> Iterator[str]:
    """Yield a node that may be cordoned; it is uncordoned afterwards."""
    name = schedulable(kube)[0].metadata.name
    try:
        kube.core.patch_node(name, {"spec": {"unschedulable": True}}, dry_run="All")
    except ApiException as error:
        pytest.skip(f"this user may not cordon nodes here: {error.status} {error.reason}")
    yield name
    kube.core.patch_node(name, {"spec": {"unschedulable": None}})
    soon(lambda: name in {one.metadata.name for one in schedulable(kube)}, "its taint is taken off")


def test_a_node_says_what_it_has_and_that_it_is_ready(kube: Kube) -> None:
    """API reference, NodeStatus."""
    nodes = kube.core.list_node().items
    assert nodes
    for one in nodes:
        assert {"cpu", "memory", "pods"} <= set(one.status.allocatable) & set(one.status.capacity)
        assert all(parse_quantity(one.status.allocatable[name]) > 0 for name in ("cpu", "memory", "pods"))
        assert one.metadata.labels.keys() >= {HOSTNAME, "kubernetes.io/os", "kubernetes.io/arch"}
        ready = next(found for found in one.status.conditions if found.type == "Ready")
        assert (ready.status, ready.reason) == ("True", "KubeletReady")


@pytest.mark.parametrize(("resource", "amount"), [("memory", "1Pi"), ("higgs.example/magnet", "1")])
def test_a_pod_that_fits_nowhere_waits_and_says_why(space: Space, resource: str, amount: str) -> None:
    """Scheduling, Kubernetes scheduler; Extended resources. The pod has the condition, an event tells it."""
    space.make(space.pod("", container={"resources": {"limits": {resource: amount}}}))
    assert f"Insufficient {resource}" in space.unschedulable()
    assert space.pod_now().status.phase == "Pending"
    soon(lambda: ("FailedScheduling", "Warning") in told(space))


def told(space: Space) -> set[tuple[str, str]]:
    return {(one.reason, one.type) for one in space.events("Pod", space.test)}


def test_a_pod_that_fits_does_not_wait_behind_one_that_does_not(space: Space) -> None:
    space.make(space.pod("", "huge", container={"resources": {"requests": {"cpu": "100k"}}}))
    space.make(space.pod("", "small"))
    assert space.ended_pod("small").status.phase == "Succeeded"
    assert "Insufficient cpu" in space.unschedulable("huge")


def test_a_pod_gets_only_a_node_it_selects(space: Space) -> None:
    """Scheduling, Assigning Pods to Nodes: nodeSelector."""
    node = schedulable(space.kube)[-1].metadata
    host = node.labels[HOSTNAME]
    space.make(space.pod("", "selects", nodeSelector={HOSTNAME: host}))
    assert space.ended_pod("selects").spec.node_name == node.name
    space.make(space.pod("", "nowhere", nodeSelector={"higgs-suite/tape": "yes"}))
    assert "didn't match Pod's node affinity/selector" in space.unschedulable("nowhere")


def test_a_cordoned_node_gets_no_new_pods_and_keeps_its_own(space: Space, node: str) -> None:
    """kubernetes.io/docs/concepts/architecture/nodes, Manual Node administration."""
    core = space.kube.core
    host = core.read_node(node).metadata.labels[HOSTNAME]
    space.make(space.pod(SLEEP, "before", nodeSelector={HOSTNAME: host}))
    space.running_pod("before")
    core.patch_node(node, {"spec": {"unschedulable": True}})
    space.make(space.pod("", "after", nodeSelector={HOSTNAME: host}))
    assert "unschedulable" in space.unschedulable("after")
    assert space.pod_now("before").status.phase == "Running"
    core.patch_node(node, {"spec": {"unschedulable": None}})
    assert space.ended_pod("after").spec.node_name == node


def test_an_evicted_pod_is_marked_as_disrupted(space: Space) -> None:
    """Scheduling, API-initiated Eviction; Disruptions: the condition tells it from a failure of its own."""
    body = space.pod(SLEEP)
    body["metadata"]["finalizers"] = ["example.org/kept-to-be-looked-at"]
    space.make(body)
    space.running_pod()
    space.evict(space.test)
    try:
        found = space.ended_pod()
        disruption = {one.type: (one.status, one.reason) for one in found.status.conditions}
        assert disruption["DisruptionTarget"] == ("True", "EvictionByEvictionAPI")
        assert (found.status.phase, found.metadata.deletion_timestamp is not None) == ("Failed", True)
    finally:
        space.kube.core.patch_namespaced_pod(space.test, space.namespace, {"metadata": {"finalizers": None}})


def daemons(space: Space, count: int) -> list[Any]:
    """Return the pods of a DaemonSet, once so many are ready."""

    def look() -> bool:
        found = space.kube.apps.read_namespaced_daemon_set(space.test, space.namespace)
        return bool(found.status.number_ready == found.status.desired_number_scheduled == count)

    soon(look, f"{count} daemons are ready")
    return space.pods()


def test_there_is_a_ready_daemon_on_every_node(space: Space) -> None:
    """kubernetes.io/docs/concepts/workloads/controllers/daemonset; tainted nodes are left out.

    One that is deleted is replaced. Garbage collection: all go with their DaemonSet.
    """
    nodes, apps = sorted(node.metadata.name for node in schedulable(space.kube)), space.kube.apps
    space.make(space.daemon_set(SLEEP))
    first, *others = daemons(space, len(nodes))
    assert sorted(pod.spec.node_name for pod in (first, *others)) == nodes
    status = apps.read_namespaced_daemon_set(space.test, space.namespace).status
    assert (status.current_number_scheduled, status.number_misscheduled) == (len(nodes), 0)
    assert status.observed_generation == 1
    space.kube.core.delete_namespaced_pod(first.metadata.name, space.namespace)

    def replaced() -> bool:
        uids = {pod.metadata.uid for pod in space.pods()}
        return len(uids) == len(nodes) and first.metadata.uid not in uids

    soon(replaced)
    apps.delete_namespaced_daemon_set(space.test, space.namespace)
    soon(lambda: space.pods() == [])


@pytest.mark.parametrize("named", [True, False])
def test_a_cordoned_node_gets_its_daemon(space: Space, node: str, named: bool) -> None:
    """DaemonSet, Taints and tolerations: node.kubernetes.io/unschedulable is tolerated."""
    space.kube.core.patch_node(node, {"spec": {"unschedulable": True}})
    host = space.kube.core.read_node(node).metadata.labels[HOSTNAME]
    here = {"nodeName": node} if named else {"nodeSelector": {HOSTNAME: host}}
    space.make(space.daemon_set(SLEEP, **here))
    assert [pod.spec.node_name for pod in daemons(space, 1)] == [node]


def test_a_tainted_node_keeps_its_daemon(space: Space, node: str) -> None:
    """Scheduling, Taints and Tolerations: NoSchedule evicts nothing; API reference, numberMisscheduled."""
    labels, apps = space.kube.core.read_node(node).metadata.labels, space.kube.apps
    space.make(space.daemon_set(SLEEP, nodeSelector={HOSTNAME: labels[HOSTNAME]}))
    uid = daemons(space, 1)[0].metadata.uid
    taint = {"key": "higgs-suite/test", "value": "yes", "effect": "NoSchedule"}
    before = space.kube.core.read_node(node).spec.taints
    space.kube.core.patch_node(node, {"spec": {"taints": [*(before or []), taint]}})
    try:

        def misscheduled() -> bool:
            status = apps.read_namespaced_daemon_set(space.test, space.namespace).status
            return (status.number_misscheduled, status.desired_number_scheduled) == (1, 0)

        soon(misscheduled)
        assert [pod.metadata.uid for pod in space.pods()] == [uid]
    finally:
        space.kube.core.patch_node(node, {"spec": {"taints": before}})


def test_a_changed_template_replaces_the_daemons(space: Space) -> None:
    """kubernetes.io/docs/tasks/manage-daemon/update-daemon-set: RollingUpdate is the default."""
    nodes = len(schedulable(space.kube))
    space.make(space.daemon_set(SLEEP))
    before = {pod.metadata.uid for pod in daemons(space, nodes)}
    change = {"spec": {"template": {"metadata": {"annotations": {"version": "2"}}}}}
    space.kube.apps.patch_namespaced_daemon_set(space.test, space.namespace, change)

    def updated() -> bool:
        status = space.kube.apps.read_namespaced_daemon_set(space.test, space.namespace).status
        return status.observed_generation == 2 and (
            status.updated_number_scheduled == status.number_ready == nodes
        )

    soon(updated)
    assert not before & {pod.metadata.uid for pod in space.pods()}
    assert {pod.metadata.annotations["version"] for pod in space.pods()} == {"2"}


def test_a_daemon_that_ends_is_restarted_with_backoff(space: Space) -> None:
    """kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle, How Pods handle problems with containers."""
    space.make(space.daemon_set("raise SystemExit(3)"))

    def waiting() -> list[Any]:
        found = [one for pod in space.pods() for one in pod.status.container_statuses or []]
        return [one for one in found if one.state.waiting and one.state.waiting.reason == "CrashLoopBackOff"]

    seen = soon(waiting)[0]
    assert seen.restart_count >= 1
    assert seen.last_state.terminated.exit_code == 3

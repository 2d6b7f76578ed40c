"""DaemonSets, as kubernetes.io/docs/concepts/workloads/controllers/daemonset describes them."""

from typing import Any

import pytest

from localkube_server import SHELL, Kube, eventually, pod_running

PAUSE = "registry.k8s.io/pause:3.10"


def daemonset(name: str, **spec: Any) -> dict[str, Any]:
    """A DaemonSet that prepulls an image, as campaigns do."""
    inside = {
        "terminationGracePeriodSeconds": 1,
        "initContainers": [{"name": "pull", "image": SHELL, "args": ["true"]}],
        "containers": [{"name": "pause", "image": PAUSE}],
    }
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": inside | spec.pop("pod", {})}
    return {
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


def status(kube: Kube, namespace: str) -> dict[str, Any]:
    answer = kube.http.get(f"apis/apps/v1/namespaces/{namespace}/daemonsets/d")
    return dict(answer.json()["status"])


def ready(kube: Kube, namespace: str, count: int) -> list[Any]:
    """The pods, once so many are ready."""
    eventually(lambda: status(kube, namespace).get("numberReady") == count, f"{count} ready")
    return list(kube.core.list_namespaced_pod(namespace, label_selector="app=d").items)


def test_there_is_a_ready_pod_on_every_node(kube: Kube, namespace: str) -> None:
    kube.apps.create_namespaced_daemon_set(namespace, daemonset("d"))
    pods = ready(kube, namespace, 2)
    assert sorted(pod.spec.node_name for pod in pods) == ["shared-node-0", "shared-node-1"]
    assert status(kube, namespace) == {
        "currentNumberScheduled": 2,
        "desiredNumberScheduled": 2,
        "numberMisscheduled": 0,
        "numberReady": 2,
        "numberAvailable": 2,
        "observedGeneration": 1,
        "updatedNumberScheduled": 2,
    }


@pytest.mark.parametrize(
    "how", [("nodeSelector", {"kubernetes.io/hostname": "shared-node-1"}), ("nodeName", "shared-node-1")]
)
def test_nodes_may_be_left_out(kube: Kube, namespace: str, how: tuple[str, Any]) -> None:
    pod = {how[0]: how[1]}
    kube.apps.create_namespaced_daemon_set(namespace, daemonset("d", pod=pod))
    assert [one.spec.node_name for one in ready(kube, namespace, 1)] == ["shared-node-1"]


def test_a_missing_image_keeps_the_daemonset_unready(kube: Kube, namespace: str) -> None:
    pod = {"initContainers": [{"name": "pull", "image": "not/there:1"}]}
    kube.apps.create_namespaced_daemon_set(namespace, daemonset("d", pod=pod))

    def reasons() -> set[str]:
        pods = kube.core.list_namespaced_pod(namespace, label_selector="app=d").items
        states = [one.state for found in pods for one in found.status.init_container_statuses or []]
        return {one.waiting.reason for one in states if one.waiting}

    eventually(lambda: "ImagePullBackOff" in reasons())
    assert (status(kube, namespace)["numberReady"], status(kube, namespace)["numberUnavailable"]) == (0, 2)


def test_a_changed_template_replaces_the_pods(kube: Kube, namespace: str) -> None:
    kube.apps.create_namespaced_daemon_set(namespace, daemonset("d"))
    before = {pod.metadata.uid for pod in ready(kube, namespace, 2)}
    change = {"spec": {"template": {"metadata": {"annotations": {"version": "2"}}}}}
    kube.apps.patch_namespaced_daemon_set("d", namespace, change)

    def updated() -> bool:
        found = status(kube, namespace)
        return (
            found["observedGeneration"] == 2
            and found.get("updatedNumberScheduled") == found["numberReady"] == 2
        )

    eventually(updated)
    after = kube.core.list_namespaced_pod(namespace, label_selector="app=d").items
    assert not before & {pod.metadata.uid for pod in after}
    assert {pod.metadata.annotations["version"] for pod in after} == {"2"}


def test_a_cordoned_node_keeps_its_daemons(kube: Kube, namespace: str) -> None:
    kube.core.patch_node("shared-node-0", {"spec": {"unschedulable": True}})
    try:
        kube.apps.create_namespaced_daemon_set(namespace, daemonset("d"))
        assert len(ready(kube, namespace, 2)) == 2
    finally:
        kube.core.patch_node("shared-node-0", {"spec": {"unschedulable": None}})


def test_a_container_that_ends_is_restarted_with_backoff(kube: Kube, namespace: str) -> None:
    pod = {"containers": [{"name": "main", "image": SHELL, "args": ["exit 3"]}]}
    kube.apps.create_namespaced_daemon_set(namespace, daemonset("d", pod=pod))

    def waiting() -> Any:
        pods = kube.core.list_namespaced_pod(namespace, label_selector="app=d").items
        found = [one for pod in pods for one in pod.status.container_statuses or []]
        return [one for one in found if one.state.waiting and one.state.waiting.reason == "CrashLoopBackOff"]

    seen = eventually(waiting)[0]
    assert seen.restart_count >= 1
    assert seen.last_state.terminated.exit_code == 3


def test_deleting_a_daemonset_deletes_its_pods(kube: Kube, namespace: str) -> None:
    kube.apps.create_namespaced_daemon_set(namespace, daemonset("d"))
    ready(kube, namespace, 2)
    kube.apps.delete_namespaced_daemon_set("d", namespace)
    eventually(lambda: kube.core.list_namespaced_pod(namespace).items == [])


def test_a_deleted_pod_of_a_daemonset_is_replaced(kube: Kube, namespace: str) -> None:
    kube.apps.create_namespaced_daemon_set(namespace, daemonset("d"))
    gone = ready(kube, namespace, 2)[0]
    kube.core.delete_namespaced_pod(gone.metadata.name, namespace)

    def replaced() -> bool:
        pods = kube.core.list_namespaced_pod(namespace, label_selector="app=d").items
        return len(pods) == 2 and gone.metadata.uid not in {pod.metadata.uid for pod in pods}

    eventually(replaced)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"selector": {"matchLabels": {"other": "x"}}}, "spec.template.metadata.labels"),
        ({"updateStrategy": {"type": "Sometimes"}}, "spec.updateStrategy.type"),
        (
            {"updateStrategy": {"rollingUpdate": {"maxUnavailable": "half"}}},
            "spec.updateStrategy.rollingUpdate.maxUnavailable",
        ),
        ({"pod": {"restartPolicy": "Never"}}, "spec.template.spec.restartPolicy"),
        ({"pod": {"volumes": [{"name": "v", "projected": {}}]}}, "spec.template.spec.volumes[0].projected"),
    ],
)
def test_what_a_daemonset_may_not_be_is_refused(kube: Kube, namespace: str, change: Any, field: str) -> None:
    path = f"apis/apps/v1/namespaces/{namespace}/daemonsets"
    refused = kube.http.post(path, json=daemonset("d", **change)).json()
    assert refused["code"] == 422
    assert [cause["field"] for cause in refused["details"]["causes"]] == [field]


def test_a_pause_container_ends_by_itself_when_asked(kube: Kube, namespace: str) -> None:
    spec = {"restartPolicy": "Never", "containers": [{"name": "pause", "image": PAUSE}]}
    kube.core.create_namespaced_pod(namespace, {"metadata": {"name": "p"}, "spec": spec})
    pod_running(kube, namespace, "p")
    kube.core.delete_namespaced_pod("p", namespace)
    eventually(lambda: kube.core.list_namespaced_pod(namespace).items == [])

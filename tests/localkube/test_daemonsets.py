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


def test_a_share_of_the_daemons_is_refused(kube: Kube, namespace: str) -> None:
    body = daemonset("d", updateStrategy={"rollingUpdate": {"maxUnavailable": "50%"}})
    refused = kube.http.post(f"apis/apps/v1/namespaces/{namespace}/daemonsets", json=body).json()
    field = "spec.updateStrategy.rollingUpdate.maxUnavailable"
    assert [cause["field"] for cause in refused["details"]["causes"]] == [field]


def test_a_pause_container_ends_by_itself_when_asked(kube: Kube, namespace: str) -> None:
    spec = {"restartPolicy": "Never", "containers": [{"name": "pause", "image": PAUSE}]}
    kube.core.create_namespaced_pod(namespace, {"metadata": {"name": "p"}, "spec": spec})
    pod_running(kube, namespace, "p")
    kube.core.delete_namespaced_pod("p", namespace)
    eventually(lambda: kube.core.list_namespaced_pod(namespace).items == [])

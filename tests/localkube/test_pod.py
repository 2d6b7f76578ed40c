"""Pods as processes: what a container is given, how it ends and what is told of it."""

from pathlib import Path
from typing import Any

import pytest

from localkube_server import Kube, eventually, pod, pod_ended, pod_running


def run(kube: Kube, namespace: str, body: dict[str, Any]) -> Any:
    """The pod once it has ended."""
    kube.core.create_namespaced_pod(namespace, body)
    return pod_ended(kube, namespace, body["metadata"]["name"])


def log(kube: Kube, namespace: str, name: str, **query: Any) -> str:
    return kube.http.get(f"api/v1/namespaces/{namespace}/pods/{name}/log", params=query).text


def terminated(found: Any) -> tuple[int, str, str | None]:
    state = found.status.container_statuses[0].state.terminated
    return state.exit_code, state.reason, state.message


@pytest.mark.parametrize(
    ("script", "phase", "code", "reason"),
    [
        ("true", "Succeeded", 0, "Completed"),
        ("exit 65", "Failed", 65, "Error"),
        ("kill -TERM $$$$", "Failed", 143, "Error"),
        ("kill -KILL $$$$", "Failed", 137, "Error"),
    ],
)
def test_a_pod_ends_with_its_container(
    kube: Kube, namespace: str, script: str, phase: str, code: int, reason: str
) -> None:
    found = run(kube, namespace, pod("p", script))
    assert (found.status.phase, *terminated(found)) == (phase, code, reason, None)
    assert {one.type: one.status for one in found.status.conditions} == {
        "PodScheduled": "True",
        "Initialized": "True",
        "Ready": "False",
        "ContainersReady": "False",
    }


def test_a_container_sees_its_environment_and_nothing_of_the_servers(kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_config_map(
        namespace,
        {
            "metadata": {"name": "c"},
            "data": {"FROM_MAP": "map", "key": "value"},
            "binaryData": {"NO_VARIABLE": "AAE="},
        },
    )
    secret = {"metadata": {"name": "s"}, "stringData": {"AWS_SECRET": "hush"}}
    kube.core.create_namespaced_secret(namespace, secret)
    env = [
        {"name": "PLAIN", "value": "1"},
        {"name": "NESTED", "value": "$(PLAIN)+$(FROM_MAP)+$(UNKNOWN)+$$(PLAIN)"},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "key"}}},
        {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "none", "key": "x", "optional": True}}},
        {
            "name": "MEMORY",
            "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}},
        },
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "requests.cpu"}}},
    ]
    container = {
        "env": env,
        "envFrom": [{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "s"}, "prefix": "MY_"}],
        "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}},
    }
    body = pod("p", "env", container=container)
    body["metadata"]["labels"] = {"app": "higgs"}
    run(kube, namespace, body)
    seen = dict(line.split("=", 1) for line in log(kube, namespace, "p").splitlines())
    for its_own in ("HOME", "TMPDIR", "TERMINATION_MESSAGE_PATH", "PWD", "_", "SHLVL"):
        seen.pop(its_own, None)
    node = kube.core.read_namespaced_pod("p", namespace).spec.node_name
    assert seen == {
        "PATH": "/usr/bin:/bin",
        "FROM_IMAGE": "yes",
        "HOSTNAME": "p",
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": kube.url.split(":")[2].split("/")[0],
        "FROM_MAP": "map",
        "key": "value",
        "MY_AWS_SECRET": "hush",
        "PLAIN": "1",
        "NESTED": "1+map+$(UNKNOWN)+$(PLAIN)",
        "NAME": "p",
        "LABEL": "higgs",
        "NODE": node,
        "KEY": "value",
        "MEMORY": "64",
        "CPU": "1",
    }


def test_what_the_image_brings_is_not_translated(kube: Kube, namespace: str) -> None:
    mounts = [{"name": "v", "mountPath": "/usr"}, {"name": "v", "mountPath": "/bin"}]
    body = pod(
        "p",
        "echo $PATH $MINE",
        container={"volumeMounts": mounts, "env": [{"name": "MINE", "value": "/usr"}]},
    )
    body["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
    found = run(kube, namespace, body)
    path, mine = log(kube, namespace, "p").split()
    assert path == "/usr/bin:/bin"
    assert mine.endswith(f"/pods/{found.metadata.uid}/volumes/v")


def test_the_termination_message_is_what_the_container_wrote(kube: Kube, namespace: str) -> None:
    found = run(
        kube, namespace, pod("a", "echo noise; printf 'no input' > $TERMINATION_MESSAGE_PATH; exit 1")
    )
    assert terminated(found) == (1, "Error", "no input")
    found = run(kube, namespace, pod("b", "printf 'no input' > /dev/termination-log; exit 1"))
    assert terminated(found) == (1, "Error", "no input")


def test_deletion_asks_first_and_kills_after_the_grace_period(kube: Kube, namespace: str) -> None:
    polite = pod(
        "polite", "trap 'echo asked; exit 0' TERM; sleep 60 & wait", terminationGracePeriodSeconds=30
    )
    deaf = pod("deaf", "trap '' TERM; sleep 60 & while true; do wait; done", terminationGracePeriodSeconds=1)
    for body in (polite, deaf):
        kube.core.create_namespaced_pod(namespace, body)
    for body in (polite, deaf):
        pod_running(kube, namespace, body["metadata"]["name"])
        left = kube.core.delete_namespaced_pod(body["metadata"]["name"], namespace)
        assert left.metadata.deletion_grace_period_seconds == body["spec"]["terminationGracePeriodSeconds"]
    eventually(lambda: kube.core.list_namespaced_pod(namespace).items == [])
    events = kube.core.list_namespaced_event(namespace, field_selector="reason=Killing").items
    assert {one.involved_object.name for one in events} == {"polite", "deaf"}


def test_no_process_outlives_its_container(kube: Kube, namespace: str) -> None:
    body = pod("p", "timeout 300 sleep 271.828 & sleep 0.3; exit 3")  # timeout makes a group of its own
    assert terminated(run(kube, namespace, body))[0] == 3
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if "271.828" in words(path)]


def words(path: Path) -> list[str]:
    try:
        return path.read_text().split("\0")
    except OSError:
        return []


def test_more_in_a_volume_than_its_limit_is_evicted(kube: Kube, namespace: str) -> None:
    body = pod(
        "p",
        "head -c 3000000 /dev/zero > /data/x; sleep 60",
        container={"volumeMounts": [{"name": "d", "mountPath": "/data"}]},
    )
    body["spec"]["volumes"] = [{"name": "d", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}]
    found = run(kube, namespace, body)
    assert (found.status.phase, found.status.reason) == ("Failed", "Evicted")
    assert found.status.message == 'Usage of EmptyDir volume "d" exceeds the limit "1Mi". '


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"containers": []}, "spec.containers"),
        ({"containers": [{"name": "A", "image": "x"}]}, "spec.containers[0].name"),
        ({"containers": [{"name": "a"}]}, "spec.containers[0].image"),
        (
            {"containers": [{"name": "a", "image": "x"}, {"name": "a", "image": "x"}]},
            "spec.containers[1].name",
        ),
        ({"restartPolicy": "Sometimes"}, "spec.restartPolicy"),
        (
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "x"}}]},
            "spec.volumes[0].persistentVolumeClaim",
        ),
        (
            {"initContainers": [{"name": "s", "image": "x", "restartPolicy": "Always"}]},
            "spec.initContainers[0].restartPolicy",
        ),
    ],
)
def test_what_a_pod_may_not_be_is_refused(
    kube: Kube, namespace: str, spec: dict[str, Any], field: str
) -> None:
    body = pod("p", "true")
    body["spec"] |= spec
    refused = kube.http.post(f"api/v1/namespaces/{namespace}/pods", json=body).json()
    assert refused["code"] == 422
    assert [cause["field"] for cause in refused["details"]["causes"]] == [field]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"resources": {"requests": {"cpu": "-1"}}}, "spec.containers[0].resources.requests[cpu]"),
        (
            {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}},
            "spec.containers[0].resources.requests",
        ),
        ({"volumeMounts": [{"name": "none", "mountPath": "/x"}]}, "spec.containers[0].volumeMounts[0].name"),
        ({"volumeMounts": [{"name": "none"}]}, "spec.containers[0].volumeMounts[0].mountPath"),
        ({"env": [{"name": "A=B", "value": "x"}]}, "spec.containers[0].env[0].name"),
        ({"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}, "spec.containers[0].lifecycle"),
    ],
)
def test_what_a_container_may_not_be_is_refused(
    kube: Kube, namespace: str, change: dict[str, Any], field: str
) -> None:
    body = pod("p", "true", container=change)
    refused = kube.http.post(f"api/v1/namespaces/{namespace}/pods", json=body).json()
    assert refused["code"] == 422
    assert [cause["field"] for cause in refused["details"]["causes"]] == [field]

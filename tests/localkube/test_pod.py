"""Pods as processes: what a container is given, how it ends and what is told of it."""

from pathlib import Path
from typing import Any

import pytest

from localkube_server import Kube, eventually, pod, pod_ended


def run(kube: Kube, namespace: str, body: dict[str, Any]) -> Any:
    """The pod once it has ended."""
    kube.core.create_namespaced_pod(namespace, body)
    return pod_ended(kube, namespace, body["metadata"]["name"])


def log(kube: Kube, namespace: str, name: str, **query: Any) -> str:
    return kube.http.get(f"api/v1/namespaces/{namespace}/pods/{name}/log", params=query).text


def terminated(found: Any) -> tuple[int, str, str | None]:
    state = found.status.container_statuses[0].state.terminated
    return state.exit_code, state.reason, state.message


@pytest.mark.parametrize(("name", "code"), [("TERM", 143), ("KILL", 137)])
def test_a_signal_is_told_as_exit_code(kube: Kube, namespace: str, name: str, code: int) -> None:
    found = run(kube, namespace, pod("p", f"kill -{name} $$$$"))
    assert (found.status.phase, *terminated(found)) == ("Failed", code, "Error", None)


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


def test_no_process_outlives_its_container(kube: Kube, namespace: str) -> None:
    body = pod("p", "timeout 300 sleep 271.828 & sleep 0.3; exit 3")  # timeout makes a group of its own
    assert terminated(run(kube, namespace, body))[0] == 3
    eventually(
        lambda: not [path for path in Path("/proc").glob("[0-9]*/cmdline") if "271.828" in words(path)]
    )


def words(path: Path) -> list[str]:
    try:
        return path.read_text().split("\0")
    except OSError:
        return []

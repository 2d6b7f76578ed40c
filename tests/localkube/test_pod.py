"""Pods as processes: what a container is given, how it ends and what is told of it."""

from typing import Any

import pytest

from localkube_server import Kube, eventually, pod, pod_ended, pod_running, processes


def run(kube: Kube, namespace: str, body: dict[str, Any]) -> Any:
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


def test_a_container_sees_nothing_of_the_servers_environment(kube: Kube, namespace: str) -> None:
    run(kube, namespace, pod("p", "env"))
    seen = dict(line.split("=", 1) for line in log(kube, namespace, "p").splitlines())
    for its_own in ("HOME", "TMPDIR", "TERMINATION_MESSAGE_PATH", "PWD", "_", "SHLVL"):
        seen.pop(its_own, None)
    assert seen == {
        "PATH": "/usr/bin:/bin",
        "FROM_IMAGE": "yes",
        "HOSTNAME": "p",
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": kube.url.split(":")[2].split("/")[0],
    }


def test_what_the_image_brings_is_not_translated(kube: Kube, namespace: str) -> None:
    mounts = [{"name": "v", "mountPath": "/usr"}, {"name": "v", "mountPath": "/bin"}]
    container = {"volumeMounts": mounts, "env": [{"name": "MINE", "value": "/usr"}]}
    volumes = [{"name": "v", "emptyDir": {}}]
    body = pod("p", "echo $PATH $MINE", container=container, volumes=volumes)
    found = run(kube, namespace, body)
    path, mine = log(kube, namespace, "p").split()
    assert path == "/usr/bin:/bin"
    assert mine.endswith(f"/pods/{found.metadata.uid}/volumes/v")


def test_the_termination_message_is_what_the_container_wrote(kube: Kube, namespace: str) -> None:
    script = "echo noise; printf 'no input' > $TERMINATION_MESSAGE_PATH; exit 1"
    assert terminated(run(kube, namespace, pod("a", script))) == (1, "Error", "no input")


def test_a_pause_container_ends_by_itself_when_asked(kube: Kube, namespace: str) -> None:
    containers = [{"name": "pause", "image": "registry.k8s.io/pause:3.10"}]
    kube.core.create_namespaced_pod(namespace, pod("p", "", containers=containers))
    pod_running(kube, namespace, "p")
    kube.core.delete_namespaced_pod("p", namespace)
    eventually(lambda: kube.core.list_namespaced_pod(namespace).items == [])


def test_no_process_outlives_its_container(kube: Kube, namespace: str) -> None:
    body = pod("p", "timeout 300 sleep 271.828 & sleep 0.3; exit 3")  # timeout makes a group of its own
    assert terminated(run(kube, namespace, body))[0] == 3
    eventually(lambda: processes("271.828") == [])

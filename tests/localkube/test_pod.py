"""Pods as processes: what a container is given, how it ends and what is told of it."""

from typing import Any

import pytest

from localkube_server import eventually, processes
from space import Space


def terminated(found: Any) -> tuple[int, str, str | None]:
    state = found.status.container_statuses[0].state.terminated
    return state.exit_code, state.reason, state.message


@pytest.mark.parametrize(("name", "code"), [("TERM", 143), ("KILL", 137)])
def test_a_signal_is_told_as_exit_code(space: Space, name: str, code: int) -> None:
    found = space.run_pod(space.pod(f"kill -{name} $$$$"))
    assert (found.status.phase, *terminated(found)) == ("Failed", code, "Error", None)


def test_a_container_sees_nothing_of_the_servers_environment(space: Space) -> None:
    space.run_pod(space.pod("env"))
    seen = dict(line.split("=", 1) for line in space.log().splitlines())
    for its_own in ("HOME", "TMPDIR", "TERMINATION_MESSAGE_PATH", "PWD", "_", "SHLVL"):
        seen.pop(its_own, None)
    assert seen == {
        "PATH": "/usr/bin:/bin",
        "FROM_IMAGE": "yes",
        "HOSTNAME": space.test,
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": space.kube.url.split(":")[2].split("/")[0],
    }


def test_what_the_image_brings_is_not_translated(space: Space) -> None:
    mounts = [{"name": "v", "mountPath": "/usr"}, {"name": "v", "mountPath": "/bin"}]
    container = {"volumeMounts": mounts, "env": [{"name": "MINE", "value": "/usr"}]}
    volumes = [{"name": "v", "emptyDir": {}}]
    found = space.run_pod(space.pod("echo $PATH $MINE", container=container, volumes=volumes))
    path, mine = space.log().split()
    assert path == "/usr/bin:/bin"
    assert mine.endswith(f"/pods/{found.metadata.uid}/volumes/v")


def test_the_termination_message_is_what_the_container_wrote(space: Space) -> None:
    script = "echo noise; printf 'no input' > $TERMINATION_MESSAGE_PATH; exit 1"
    assert terminated(space.run_pod(space.pod(script))) == (1, "Error", "no input")


def test_a_pause_container_ends_by_itself_when_asked(space: Space) -> None:
    core, containers = space.kube.core, [{"name": "pause", "image": "registry.k8s.io/pause:3.10"}]
    space.make(space.pod("", containers=containers))
    space.running_pod()
    core.delete_namespaced_pod(space.test, space.namespace)
    eventually(lambda: core.list_namespaced_pod(space.namespace).items == [])


def test_no_process_outlives_its_container(space: Space) -> None:
    body = space.pod("timeout 300 sleep 271.828 & sleep 0.3; exit 3")  # timeout makes a group of its own
    assert terminated(space.run_pod(body))[0] == 3
    eventually(lambda: processes("271.828") == [])

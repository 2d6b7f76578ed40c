"""Volumes. The authority: kubernetes.io/docs/concepts/storage/volumes ("Volumes" below)."""

from typing import Any

from space import SLEEP, Space, soon


def test_more_in_a_volume_than_its_limit_is_evicted(space: Space) -> None:
    """Volumes, emptyDir: sizeLimit."""
    script = f"open('/data/x', 'wb').write(bytes(5_000_000)); {SLEEP}"
    container = {"volumeMounts": [{"name": "d", "mountPath": "/data"}]}
    volumes = [{"name": "d", "emptyDir": {"sizeLimit": "1Mi"}}]
    found = space.run_pod(space.pod(script, container=container, volumes=volumes))
    assert (found.status.phase, found.status.reason) == ("Failed", "Evicted")
    assert 'Usage of EmptyDir volume "d" exceeds the limit "1Mi"' in found.status.message


READ_ALL = """
import os
for name in sorted(os.listdir("/data")):
    if not name.startswith("."):
        print(name, open(f"/data/{name}").read())
"""

DATA = {"volumeMounts": [{"name": "v", "mountPath": "/data"}]}
AS_ROOT = {"securityContext": {"runAsUser": 0}}  # where only root may: the image's own user may be another


def mounted(space: Space, script: str, volume: dict[str, Any], **mount: Any) -> str:
    mounts = [{"name": "v", "mountPath": "/data", **mount}]
    container, volumes = {"volumeMounts": mounts, **AS_ROOT}, [{"name": "v", **volume}]
    space.run_pod(space.pod(script, container=container, volumes=volumes))
    return space.log()


def test_a_config_map_is_a_directory_of_its_keys(space: Space) -> None:
    """Configure a Pod to Use a ConfigMap, Add ConfigMap data to a Volume."""
    body = space.config_map(data={"a": "1", "b": "2"}) | {"binaryData": {"c": "Mw=="}}
    space.make(body)
    assert mounted(space, READ_ALL, {"configMap": {"name": space.test}}) == "a 1\nb 2\nc 3\n"


def test_the_working_directory_may_be_in_a_memory_volume(space: Space) -> None:
    """Volumes, emptyDir: medium Memory; API reference, Container.workingDir."""
    container = DATA | {"workingDir": "/data"}
    script = "import os; open('x', 'w').write('here'); print(open('/data/x').read())"
    volume = {"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    space.run_pod(space.pod(script, container=container, volumes=[volume]))
    assert space.log() == "here\n"


def test_a_volume_that_is_not_there_keeps_the_pod_waiting(space: Space) -> None:
    volume = {"name": "v", "configMap": {"name": "none-such"}}
    space.make(space.pod("", container=DATA, volumes=[volume]))

    def told() -> str:
        found = space.events("Pod", space.test)
        return next((one.message for one in found if one.reason == "FailedMount"), "")

    assert 'configmap "none-such" not found' in soon(told)
    assert space.pod_now().status.phase == "Pending"

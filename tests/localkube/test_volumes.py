"""What containers find below their mount paths, without a root of their own."""

from pathlib import Path
from typing import Any

import pytest

from localkube.environment import Mounts
from localkube_server import Kube, Server, container, eventually, pod, pod_ended


def run(kube: Kube, namespace: str, script: str, volume: dict[str, Any], **mount: Any) -> str:
    """The log of a pod with one volume at /data."""
    mounts = [{"name": "v", "mountPath": "/data", **mount}]
    body = pod("p", script, container={"volumeMounts": mounts}, volumes=[{"name": "v", **volume}])
    kube.core.create_namespaced_pod(namespace, body)
    pod_ended(kube, namespace, "p")
    return kube.http.get(f"api/v1/namespaces/{namespace}/pods/p/log").text


@pytest.mark.parametrize(
    ("text", "translated"),
    [
        ("/data", "/real/d"),
        ("/data/x/y", "/real/d/x/y"),
        ("/data/deep/x", "/elsewhere/x"),
        (
            "cat /data/a > '/data/b'; ls /database /my/data ./data",
            "cat /real/d/a > '/real/d/b'; ls /database /my/data ./data",
        ),
        ("--out=/data --in=/data:/data/deep", "--out=/real/d --in=/real/d:/elsewhere"),
        (
            "file:///data/x s3://data/data/x https://host:1/data/x",
            "file:///real/d/x s3://data/data/x https://host:1/data/x",
        ),
    ],
)
def test_mount_paths_are_translated_where_a_path_begins(text: str, translated: str) -> None:
    mounts = Mounts({"/data": Path("/real/d"), "/data/deep/": Path("/elsewhere")})
    assert mounts.translate(text) == translated


def test_an_empty_directory_goes_with_its_pod(kube: Kube, namespace: str, server: Server) -> None:
    for number, medium in enumerate(({}, {"medium": "Memory"})):
        where = run(kube, namespace, "echo x > /data/x; cd /data; pwd", {"emptyDir": medium}).strip()
        assert where.startswith("/dev/shm/") is bool(medium and Path("/dev/shm").is_dir())
        eventually(lambda where=where: not Path(where).exists())
        uid = kube.core.read_namespaced_pod("p", namespace).metadata.uid
        kube.core.delete_namespaced_pod("p", namespace)
        left = server.state / "clusters" / "shared" / "pods" / uid
        eventually(lambda left=left: not left.exists(), f"pod {number} left nothing")


def test_a_config_map_is_a_directory_of_its_keys(kube: Kube, namespace: str) -> None:
    data = {"metadata": {"name": "c"}, "data": {"a": "1", "b": "2"}, "binaryData": {"c": "Mw=="}}
    kube.core.create_namespaced_config_map(namespace, data)
    assert (
        run(kube, namespace, "cd /data; grep -r . . | sort", {"configMap": {"name": "c"}})
        == "./a:1\n./b:2\n./c:3\n"
    )


def test_chosen_keys_may_have_other_paths(kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_secret(
        namespace, {"metadata": {"name": "s"}, "stringData": {"a": "1", "b": "2"}}
    )
    chosen = {"secretName": "s", "items": [{"key": "b", "path": "in/here", "mode": 0o400}]}
    script = "cd /data; find . -type f; cat in/here; stat -c ' %a' in/here"
    assert run(kube, namespace, script, {"secret": chosen}) == "./in/here\n2 400\n"


def test_one_file_may_be_mounted_by_its_sub_path(kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_config_map(namespace, {"metadata": {"name": "c"}, "data": {"a.json": "{}"}})
    volume = {"configMap": {"name": "c"}}
    assert (
        run(kube, namespace, "cat /data/x.json", volume, mountPath="/data/x.json", subPath="a.json") == "{}"
    )


def test_a_host_path_is_shared_by_the_pods_of_a_node_only(kube: Kube, namespace: str) -> None:
    disk = [{"name": "v", "hostPath": {"path": "/mnt/disks/ssd0"}}]
    mounts = [{"name": "v", "mountPath": "/mnt/disks/ssd0"}]
    path = f"/mnt/disks/ssd0/{namespace}"
    for name, node, script in (
        ("w", 0, f"echo written > {path}"),
        ("same", 0, f"cat {path}"),
        ("other", 1, f"cat {path} || echo nothing"),
    ):
        body = pod(name, script, container={"volumeMounts": mounts}, volumes=disk)
        body["spec"]["nodeName"] = f"shared-node-{node}"
        kube.core.create_namespaced_pod(namespace, body)
        pod_ended(kube, namespace, name)
    logs = [
        kube.http.get(f"api/v1/namespaces/{namespace}/pods/{name}/log").text for name in ("same", "other")
    ]
    assert logs[0] == "written\n"
    assert logs[1].endswith("nothing\n")


def test_the_working_directory_may_be_a_volume(kube: Kube, namespace: str) -> None:
    body = pod("p", "pwd; touch x; ls /data/sub", volumes=[{"name": "v", "emptyDir": {}}])
    mounts = [{"name": "v", "mountPath": "/data"}]
    body["spec"]["containers"] = [
        container("touch x; ls /data/sub", workingDir="/data/sub", volumeMounts=mounts)
    ]
    kube.core.create_namespaced_pod(namespace, body)
    pod_ended(kube, namespace, "p")
    assert kube.http.get(f"api/v1/namespaces/{namespace}/pods/p/log").text == "x\n"


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"configMap": {"name": "none"}}, 'configmap "none" not found'),
        ({"secret": {"secretName": "none"}}, 'secret "none" not found'),
        ({"hostPath": {"path": "/none", "type": "Directory"}}, "/none is not a Directory"),
        ({"hostPath": {"path": "/../../../../../../etc"}}, "leaves the node"),
    ],
)
def test_a_volume_that_cannot_be_mounted_keeps_the_pod_waiting(
    kube: Kube, namespace: str, volume: dict[str, Any], message: str
) -> None:
    mounts = [{"name": "v", "mountPath": "/data"}]
    body = pod("p", "true", container={"volumeMounts": mounts}, volumes=[{"name": "v", **volume}])
    kube.core.create_namespaced_pod(namespace, body)

    def told() -> list[str]:
        found = kube.core.list_namespaced_event(namespace, field_selector="reason=FailedMount").items
        return [one.message for one in found]

    assert message in eventually(told)[0]
    assert kube.core.read_namespaced_pod("p", namespace).status.phase == "Pending"

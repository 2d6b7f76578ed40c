"""What containers find below their mount paths, without a root of their own."""

import json
from pathlib import Path
from typing import Any

from localkube.node.environment import Mounts
from localkube_server import IMAGES, SHELL, Kube, Server, eventually, pod, pod_ended
from tables import cases


def run(kube: Kube, namespace: str, script: str, volume: dict[str, Any], **mount: Any) -> str:
    mounts = [{"name": "v", "mountPath": "/data", **mount}]
    body = pod("p", script, container={"volumeMounts": mounts}, volumes=[{"name": "v", **volume}])
    kube.core.create_namespaced_pod(namespace, body)
    pod_ended(kube, namespace, "p")
    return kube.http.get(f"api/v1/namespaces/{namespace}/pods/p/log").text


@cases
def test_mount_paths_are_translated_where_a_path_begins(text: str, translated: str) -> None:
    mounts = Mounts({"/data": Path("/real/d"), "/data/deep/": Path("/elsewhere")})
    assert mounts.translate(text) == translated


def test_an_empty_directory_goes_with_its_pod(kube: Kube, namespace: str, server: Server) -> None:
    where = Path(run(kube, namespace, "echo x > /data/x; cd /data; pwd", {"emptyDir": {}}).strip())
    eventually(lambda: not where.exists())
    uid = kube.core.read_namespaced_pod("p", namespace).metadata.uid
    kube.core.delete_namespaced_pod("p", namespace)
    left = server.state / "clusters" / "shared" / "pods" / uid
    eventually(lambda: not left.exists())


def test_the_working_directory_of_an_image_is_left_as_it_is_wherever_volumes_are(
    server: Server, kube: Kube, namespace: str, tmp_path: Path
) -> None:
    (tmp_path / "of-the-image").touch()
    image = IMAGES[SHELL] | {"WorkingDir": str(tmp_path)}
    server.images.write_text(json.dumps(IMAGES | {"with-directory:1": image}))
    mounts = [{"name": "v", "mountPath": f"/{tmp_path.parts[1]}"}]
    body = pod("p", "ls", container={"volumeMounts": mounts}, volumes=[{"name": "v", "emptyDir": {}}])
    body["spec"]["containers"][0]["image"] = "with-directory:1"
    kube.core.create_namespaced_pod(namespace, body)
    pod_ended(kube, namespace, "p")
    assert kube.http.get(f"api/v1/namespaces/{namespace}/pods/p/log").text == "of-the-image\n"

"""What containers find below their mount paths, without a root of their own."""

import json
from pathlib import Path
from typing import Any

from localkube.node.environment import Mounts
from localkube_server import IMAGES, SHELL, Server, eventually
from space import Space
from tables import cases


def log_of(space: Space, script: str, path: str, **container: Any) -> str:
    """Return what a container prints that has an empty directory there."""
    mounts = {"volumeMounts": [{"name": "v", "mountPath": path}]}
    space.run_pod(space.pod(script, container=mounts | container, volumes=[{"name": "v", "emptyDir": {}}]))
    return space.log()


@cases
def test_mount_paths_are_translated_where_a_path_begins(text: str, translated: str) -> None:
    mounts = Mounts({"/data": Path("/real/d"), "/data/deep/": Path("/elsewhere")})
    assert mounts.translate(text) == translated


def test_an_empty_directory_goes_with_its_pod(space: Space, server: Server) -> None:
    where = Path(log_of(space, "echo x > /data/x; cd /data; pwd", "/data").strip())
    eventually(lambda: not where.exists())
    uid = space.pod_now().metadata.uid
    space.kube.core.delete_namespaced_pod(space.test, space.namespace)
    left = server.state / "clusters" / "shared" / "pods" / uid
    eventually(lambda: not left.exists())


def test_the_working_directory_of_an_image_is_left_as_it_is_wherever_volumes_are(
    server: Server, space: Space, tmp_path: Path
) -> None:
    (tmp_path / "of-the-image").touch()
    image = IMAGES[SHELL] | {"WorkingDir": str(tmp_path)}
    server.images.write_text(json.dumps(IMAGES | {"with-directory:1": image}))
    assert log_of(space, "ls", f"/{tmp_path.parts[1]}", image="with-directory:1") == "of-the-image\n"

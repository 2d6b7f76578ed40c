"""The cluster under test: the one that HIGGS_TEST_KUBECONFIG names, or else a localkube of the session's own.

No test here can tell which it is. All of them share one namespace, which is removed at the end.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from urllib3.exceptions import HTTPError

from kube_client import Kube
from kubectl_command import Kubectl, kubectl_for
from localkube_server import localkube
from space import Space, soon

KUBECONFIG, IMAGE = "HIGGS_TEST_KUBECONFIG", "HIGGS_TEST_IMAGE"
MISUSED = int(pytest.ExitCode.USAGE_ERROR)
LOCAL_IMAGE = "test/python:3"


class Target(NamedTuple):
    """The file that leads to the cluster, and an image there that has Python."""

    kubeconfig: Path
    image: str


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Yield the cluster that the environment names; without one, a localkube with two nodes."""
    given, image = os.environ.get(KUBECONFIG), os.environ.get(IMAGE)
    if bool(given) != bool(image):
        pytest.exit(
            f"{KUBECONFIG} and {IMAGE} go together: a cluster, and an image there with Python", MISUSED
        )
    if given and image:
        if not Path(given).is_file():
            pytest.exit(f"{KUBECONFIG}: there is no file {given}", MISUSED)
        yield Target(Path(given).absolute(), image)
        return
    folder = tmp_path_factory.mktemp("cluster")
    where_python_is = f"PATH={Path(sys.executable).parent}:/usr/bin:/bin"
    with localkube(folder, {LOCAL_IMAGE: {"Env": [where_python_is]}}) as server:
        kube = server.create_cluster("under-test", nodes=2, cpu="4", memory="8Gi")
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(json.dumps(kube.kubeconfig))
        kubeconfig.chmod(0o600)
        yield Target(kubeconfig, LOCAL_IMAGE)


@pytest.fixture(scope="session")
def kube(target: Target) -> Kube:
    try:
        kube = Kube(target.kubeconfig)
        kube.version.get_code(_request_timeout=30)
    except (ConfigException, ApiException, HTTPError, OSError) as error:
        pytest.exit(f"the cluster of {target.kubeconfig} cannot be used: {error}", MISUSED)
    return kube


@contextmanager
def new_namespace(kube: Kube) -> Iterator[str]:
    """Yield a namespace, ready for pods; the server names it, so that two suites do not meet."""
    name: str = kube.core.create_namespace({"metadata": {"generateName": "higgs-suite-"}}).metadata.name

    def accounts() -> list[str]:
        return [one.metadata.name for one in kube.core.list_namespaced_service_account(name).items]

    soon(
        lambda: "default" in accounts(), "the namespace has its service account, without which no pod is made"
    )
    yield name
    kube.core.delete_namespace(name)
    soon(lambda: name not in [one.metadata.name for one in kube.core.list_namespace().items])


@pytest.fixture(scope="session")
def namespace(kube: Kube) -> Iterator[str]:
    with new_namespace(kube) as name:
        yield name


@pytest.fixture(scope="session")
def kubectl(target: Target, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    home = tmp_path_factory.mktemp("home")
    return kubectl_for(target.kubeconfig, home, "--namespace", namespace, patience=200)


@pytest.fixture
def space(kube: Kube, namespace: str, target: Target, request: pytest.FixtureRequest) -> Iterator[Space]:
    """Yield this test's part of the namespace; what is in it goes with the test."""
    own = Space.of(kube, namespace, target.image, request.node.name)
    yield own
    own.clear()

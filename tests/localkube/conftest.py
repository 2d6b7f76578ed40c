"""A server with a cluster for all tests of localkube, a namespace for each test, and kubectl."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kubectl_command import Kubectl, kubectl_for
from localkube_server import Kube, Server, eventually, localkube, shell_space
from space import Space


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with localkube(tmp_path_factory.mktemp("localkube")) as running:
        yield running


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """Yield a server for one test, which may kill and start it."""
    with localkube(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def kube(server: Server) -> Kube:
    """Return a cluster of two nodes with room for eight pods of one CPU in all."""
    return server.create_cluster("shared", nodes=2, cpu="4", memory="8Gi")


@pytest.fixture
def namespace(kube: Kube, request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield a namespace for one test; it is gone afterwards."""
    name = "t-" + request.node.name.replace("_", "-").partition("[")[0][:50].rstrip("-").lower()
    kube.core.create_namespace({"metadata": {"name": name}})
    yield name
    kube.core.delete_namespace(name)
    eventually(lambda: name not in [one.metadata.name for one in kube.core.list_namespace().items])


@pytest.fixture
def space(kube: Kube, namespace: str) -> Space:
    """Return what one test has there."""
    return shell_space(kube, namespace)


@pytest.fixture(scope="session")
def kubectl(server: Server, kube: Kube) -> Kubectl:
    home = server.state.parent / "home"
    home.mkdir(exist_ok=True)
    return kubectl_for(server.state / "kubeconfig", home, "--context", "shared", patience=60)

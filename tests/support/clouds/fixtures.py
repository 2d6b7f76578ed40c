"""What the tests of the clouds share: real clusters for the fakes to hand out, and a gate before them."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest

from clouds.gate import Gate
from demo.images import WORKLOAD_IMAGE
from higgsdemo.clusters.base import Provider
from localkube_server import IMAGES, SOURCE, Kube, localkube
from stores import connect

WORKLOAD = {
    "Entrypoint": [sys.executable, "-m", "workload"],
    "Env": [f"PATH={os.environ['PATH']}", f"PYTHONPATH={SOURCE}", "PYTHONUNBUFFERED=1"],
}
PYTHON = "gitlab-registry.cern.ch/cms-cloud/python-vnc:python3.10.5"
"""A public image with uproot, of which this machine's Python takes the place."""
PATH = f"PATH={Path(sys.executable).parent}:{os.defpath}"
WITH_WORKLOAD = IMAGES | {WORKLOAD_IMAGE: WORKLOAD, PYTHON: {"Env": [PATH]}}
"""Images of a localkube that has that of our workload, and one with Python."""


@pytest.fixture(scope="session")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """Yield a gate before a localkube, for all tests."""
    folder = tmp_path_factory.mktemp("clouds")
    with localkube(folder, WITH_WORKLOAD) as server, Gate(server, folder / "gate") as gate:
        # gRPC reads it once, when its first channel is opened.
        os.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = str(gate.state / "ca.crt")
        yield gate


@pytest.fixture
def kube(gate: Gate, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kube:
    """Make a cluster of one node that people have, and the Airflow connection `theirs` to it."""
    name = f"theirs-{crc32(request.node.nodeid.encode()):08x}"
    kube = gate.localkube.create_cluster(name, nodes=1, cpu="4", memory="8Gi")
    extra = {"kube_config": json.dumps(kube.kubeconfig)}
    connect(monkeypatch, theirs={"conn_type": "kubernetes", "extra": extra})
    monkeypatch.setattr(Provider, "poll_seconds", 0.1)
    return kube

from pathlib import Path

import pytest

from clustered_file import clustered_file
from faulty_store import faulty_store
from generator.catalogue import demo_datasets
from generator.events import simulate
from generator.root_file import root_file
from pod_process import Pod
from s3_server import bucket, s3_endpoint
from web_server import one_web_server, web_server

__all__ = [
    "bucket",
    "clustered_file",
    "faulty_store",
    "one_web_server",
    "pod",
    "s3_endpoint",
    "shard_file",
    "web_server",
]


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    """A pod that writes its results to a local directory."""
    return Pod(tmp_path / "pod")


@pytest.fixture(scope="session")
def shard_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500 simulated events, about a third of which are selected."""
    higgs = next(dataset for dataset in demo_datasets() if dataset.group == "higgs")
    path = tmp_path_factory.mktemp("shards") / "higgs_000.root"
    path.write_bytes(root_file(simulate(higgs, 0, 500, seed=1), 500, run=1, first_event=1))
    return path

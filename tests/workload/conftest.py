from pathlib import Path

import pytest

from clustered_file import clustered_file
from faulty_store import faulty_store
from pod_process import Pod
from s3_server import bucket, s3_endpoint
from web_server import one_web_server, web_server
from workload_files import shard_file

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

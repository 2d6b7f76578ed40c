from pathlib import Path

import pytest

from pod_process import Pod


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    """Return a pod that writes its results to a local directory."""
    return Pod(tmp_path / "pod")

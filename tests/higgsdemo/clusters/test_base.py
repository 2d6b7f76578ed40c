"""What all providers of clusters share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "10.0\n"),
        ("2.5", "2.5\n"),
        *((wrong, "must be a number from 1 to 3600\n") for wrong in ("0", "1m")),
    ],
)
def test_clusters_are_asked_as_often_as_the_environment_says(repository: Path, said: str, told: str) -> None:
    ask = "from higgsdemo.clusters.base import Provider; print(Provider.poll_seconds)"
    environment = os.environ | {"HIGGS_POLL_SECONDS": said, "PYTHONPATH": str(repository / "plugins")}
    done = subprocess.run(
        [sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout or done.stderr).endswith(told)

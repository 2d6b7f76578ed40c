"""The suite of clusters tells at once, and in one line, that it was given no cluster to run on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

UNREACHABLE = """
apiVersion: v1
kind: Config
current-context: away
contexts: [{name: away, context: {cluster: away, user: away}}]
clusters: [{name: away, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: away, user: {token: x}}]
"""


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"HIGGS_TEST_IMAGE": "x:1"}, "HIGGS_TEST_KUBECONFIG and HIGGS_TEST_IMAGE go together"),
        ({"HIGGS_TEST_IMAGE": "x:1", "HIGGS_TEST_KUBECONFIG": "away.yaml"}, "away.yaml cannot be used: "),
    ],
    ids=["half", "unreachable"],
)
def test_what_is_missing_is_told(tmp_path: Path, repository: Path, given: dict[str, str], told: str) -> None:
    (tmp_path / "away.yaml").write_text(UNREACHABLE)
    suite = repository / "tests" / "cluster" / "test_api.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", str(repository / "pyproject.toml"), str(suite)],
        cwd=tmp_path,
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert told in done.stdout
    assert "Traceback" not in done.stdout + done.stderr

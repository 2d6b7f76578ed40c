"""Runs the workload as Kubernetes would: a process of its own, told everything by its environment."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

INCLUDE = Path(__file__).resolve().parents[2] / "include"


@dataclass(frozen=True)
class Ended:
    """How a pod's process ended; `reason` is the last line on standard error."""

    code: int
    stdout: str
    stderr: str
    termination_message: str

    @property
    def reason(self) -> str:
        return self.stderr.strip().splitlines()[-1] if self.stderr.strip() else ""


@dataclass
class Pod:
    """A pod to be: a directory of its own, and the environment of the pod contract."""

    directory: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.input_dir = self.directory / "input"
        self.input_dir.mkdir(parents=True)
        self.output = self.directory / "output"
        self.environ = {
            "SHARD_MANIFEST": str(self.directory / "manifest.jsonl"),
            "JOB_COMPLETION_INDEX": "0",
            "INPUT_DIR": str(self.input_dir),
            "OUTPUT_URL": self.output.as_uri(),
            "DATASET": "Simulated_Test",
            "SAMPLE": "simulated_test",
            "DATATYPE": "mc",
            "DPATH": "/dev/shm",
            "TERMINATION_MESSAGE_PATH": str(self.directory / "termination"),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(INCLUDE),
            **self.environ,
        }

    def give(self, *shards: dict[str, Any]) -> None:
        """Make these the shards of completion index 0."""
        (self.directory / "manifest.jsonl").write_text(json.dumps({"shards": shards}) + "\n")

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "workload", *words],
            env=self.environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def wait(self, process: "subprocess.Popen[str]") -> Ended:
        stdout, stderr = process.communicate(timeout=120)
        termination = self.directory / "termination"
        message = termination.read_text() if termination.exists() else ""
        return Ended(process.returncode, stdout, stderr, message)

    def run(self, *words: str) -> Ended:
        return self.wait(self.start(*words))

    def result(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.output / f"{name}.json").read_text())
        return document

    def results(self) -> list[str]:
        return sorted(path.name for path in self.output.glob("**/*"))


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    """Return a pod that writes its results to a local directory."""
    return Pod(tmp_path / "pod")


def shard(path: Path, name: str | None = None, **more: Any) -> dict[str, Any]:
    """Return the manifest's entry for a local file."""
    return {"name": name or path.stem, "url": path.as_uri(), "size": path.stat().st_size, **more}

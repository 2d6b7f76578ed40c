"""The full campaign's datasets through real Airflow on simulated nodes, as `make rehearsal` runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from demo.settings import REPOSITORY

CONF = {"run_name": "small", "max_shards": 1, "clusters": ["kubecon-demo-0", "kubecon-demo-1"]}


def test_a_rehearsal_counts_every_result_once_and_shows_what_airflow_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "rehearsal", "--state", str(tmp_path / "state")),
            *("--campaign", "higgs-full", "--conf", json.dumps(CONF)),
            *("--files", "30000", "--figures", str(tmp_path / "figures.json")),
        ],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": "plugins:include"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "68 of 68 results, each counted once" in done.stdout
    assert "scheduler, workers, dag-processor, triggerer together" in done.stdout
    monkeypatch.syspath_prepend(REPOSITORY)
    from bench.rehearsal import report

    took = json.loads((tmp_path / "figures.json").read_text())
    grown = report({30_000: took, 60_000: took}).table.columns[-1].cells
    assert list(grown) == ["1.00 ×"] * len(took["components"])
    results = tmp_path / "results" / "higgs-full" / "small"
    summary = json.loads((results / "summary.json").read_text())
    assert {name: shards["missing"] for name, shards in summary["clusters"].items()} == {
        "kubecon-demo-0": 0,
        "kubecon-demo-1": 0,
    }
    assert summary["note"] == "Simulated events, not CMS collisions"
    assert (results / "higgs.png").read_bytes().startswith(b"\x89PNG")

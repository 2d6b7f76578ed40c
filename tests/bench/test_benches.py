"""Every bench runs at a tiny size and prints its table, so that it is still there when it is wanted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TINY = {
    "submit": ("--files", "20", "--clusters", "2", "--hold-back", "1"),
    "watch": ("--files", "80"),
    "list": ("--datasets", "3"),
    "overhead": ("--runs", "1"),
    "page": ("--many", "200", "--visits", "1"),
    "parse": ("--configs", "1"),
    "analysis": ("--events", "2000", "--repeats", "1"),
    "ranges": ("--events", "200000", "--ranges", "2"),
    "million": ("--times", "1", "2"),
    "localkube": ("--pods", "20", "40"),
}


STARTS_AIRFLOW = {"overhead", "page"}
BENCHES = [
    pytest.param(bench, marks=[pytest.mark.end_to_end] if bench in STARTS_AIRFLOW else []) for bench in TINY
]


@pytest.mark.parametrize("bench", BENCHES)
def test_a_bench_prints_both_ways_and_keeps_them(bench: str, repository: Path, tmp_path: Path) -> None:
    kept = tmp_path / "RESULTS.md"
    done = subprocess.run(
        [sys.executable, "-m", "bench", bench, "--results", str(kept), *TINY[bench]],
        cwd=repository,
        env=os.environ | {"PYTHONPATH": "plugins:include"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) > 2
    assert all(row in kept.read_text() for row in rows)
    assert f"## {bench}" in kept.read_text()

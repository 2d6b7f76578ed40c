"""Every bench runs at a tiny size and prints its table, so that it is still there when it is wanted."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

WORKSPACE = "tests/higgsdemo/manifests/workspace.json"
TINY = {
    "submit": ("--files", "20", "--clusters", "1", "--hold-back", "1"),
    "watch": ("--files", "80"),
    "list": ("--datasets", "3"),
    "overhead": ("--runs", "1"),
    "page": ("--many", "9000", "--visits", "1"),
    "parse": ("--configs", "1"),
    "analysis": ("--events", "2000", "--repeats", "1"),
    "ranges": ("--events", "200000", "--ranges", "2"),
    "beside": ("--shards", "2", "--seconds", "0.1"),
    "million": ("--files", "26920"),
    "localkube": ("--pods", "20", "40"),
    "campaigns": ("--campaigns", "2", "--clusters", "2", "--at-once", "2", "--seconds", "1"),
    "merge": ("--files", "100", "200", "--reads", "50"),
    "waits": ("--campaigns", "1", "2", "--clusters", "2", "--seconds", "1", "--pause", "0.2"),
    "packing": ("--files", "100"),
    "imitated": ("--files", "10", "--tried", "1"),
    "stragglers": ("--files", "100", "--draws", "2"),
    "closure": ("--workspace", WORKSPACE, "--strengths", "1", "2", "--experiments", "2"),
}


@pytest.fixture(autouse=True)
def surroundings(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Yield the command of `make bench`, run in this process, which has imported Airflow already."""
    monkeypatch.setenv("PYTHONPATH", f"{repository / 'plugins'}{os.pathsep}{repository / 'include'}")
    monkeypatch.syspath_prepend(repository)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize("bench", TINY)
def test_a_bench_prints_both_ways_and_keeps_them(
    bench: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from bench.__main__ import main

    kept = tmp_path / "RESULTS.md"
    code = main([bench, "--results", str(kept), *TINY[bench]])
    told = capsys.readouterr()
    assert code == 0, told.err
    rows = [line for line in told.out.splitlines() if line.startswith("| ")]
    assert len(rows) > (1 if bench == "million" else 2)  # it has a row for each size, here one
    assert all(row in kept.read_text() for row in rows)
    assert f"## {bench}" in kept.read_text()

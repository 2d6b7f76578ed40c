"""The table of `make watch`."""

from io import StringIO
from typing import Any

from rich.console import Console

from demo.watch import render, sentence

SHARDS: dict[str, Any] = {
    "total": 10,
    "done": 4,
    "running": 3,
    "failed": 1,
    "pending": 2,
    "rate": 0.5,
    "eta": 10.0,
}
PODS = {"pending": 5, "running": 3, "succeeded": 4, "failed": 2}
NO_PODS = dict.fromkeys(PODS, 0)
STATE: dict[str, Any] = {
    "title": "The demo",
    "run": {"run_id": "one", "state": "running", "started": 100.0, "ended": 142.0, "ended_all": False},
    "clusters": [
        {"name": "kubecon-demo-0", "pods": PODS, "shards": SHARDS},
        {
            "name": "kubecon-demo-1",
            "pods": NO_PODS,
            "shards": SHARDS | {"total": None, "rate": 0.0, "eta": None},
        },
    ],
    "pods": PODS,
    "total": SHARDS,
    "slow": [],
    "stragglers": [],
    "reading": {"read": 4, "found": 9, "complete": False, "error": None},
    "failures": {"count": 7, "shown": [{"shard": "s", "dataset": "D", "reason": "exit code 65 [red]"}] * 7},
}


def printed(width: int) -> list[str]:
    console = Console(file=StringIO(), width=width, color_system=None)
    console.print(render(STATE, wide=width >= 100))
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_line_for_each_cluster_and_the_total() -> None:
    lines = printed(80)
    assert lines[0] == "The demo, run one: running, 42 s"
    assert [line.split() for line in lines[3:6]] == [
        ["kubecon-demo-0", "5", "3", "4", "2", "4/10", "3", "1", "2", "0.5/s", "10", "s"],
        ["kubecon-demo-1", "3", "1", "2"],
        ["all", "5", "3", "4", "2", "4/10", "3", "1", "2", "0.5/s", "10", "s"],
    ]


def test_failures_and_what_is_still_to_be_read_stand_below() -> None:
    lines = printed(80)
    assert lines[6:] == [
        *["s of D: exit code 65 [red]"] * 5,
        "and 2 failed shards more",
        "reading results: 4 of 9",
    ]


def test_a_wide_terminal_has_bars_and_a_narrow_one_cuts_nothing() -> None:
    assert "━" in "".join(printed(120))
    assert "…" not in "".join(printed(80))


def test_the_total_is_one_sentence() -> None:
    assert sentence(STATE) == "one running: 4 of 10 shards done, 3 running, 1 failed, 2 pending"
    unlisted = STATE | {"total": SHARDS | {"total": None}}
    assert sentence(unlisted) == "one running: shards not listed yet"

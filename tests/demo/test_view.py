"""A terminal gets a table that changes in place, everything else plain lines."""

import io
import re
from typing import Any

import pytest
from rich.console import Console

from demo.view import LiveView, PlainView, render, sentence, view_for

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
STEPS = [{"name": "create_cluster", "state": "success"}, {"name": "submit_jobs", "state": "running"}]
STATE: dict[str, Any] = {
    "title": "The demo",
    "run": {"run_id": "one", "state": "running", "started": 100.0, "ended": 142.0, "ended_all": False},
    "stages": [
        {"name": "plan", "state": "success"},
        {"name": "cluster", "state": "running"},
        {"name": "plot", "state": None},
    ],
    "clusters": [
        {"name": "kubecon-demo-0", "steps": STEPS, "pods": PODS, "shards": SHARDS},
        {
            "name": "kubecon-demo-1",
            "steps": [{"name": "create_cluster", "state": "up_for_retry"}],
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
DONE: dict[str, Any] = STATE | {
    "run": STATE["run"] | {"state": "success", "ended_all": True},
    "stages": [{"name": name, "state": "success"} for name in ("plan", "cluster", "plot")],
    "clusters": [
        line | {"steps": [step | {"state": "success"} for step in line["steps"]]}
        for line in STATE["clusters"]
    ],
    "total": SHARDS | {"done": 10, "running": 0, "failed": 0, "pending": 0},
}


def shown_plainly(*moments: dict[str, Any]) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    with PlainView(console) as view:
        for moment in moments:
            view.show(moment)
    assert isinstance(console.file, io.StringIO)
    return [re.sub(r"^\[\d+:\d\d\] ", "", line) for line in console.file.getvalue().splitlines()]


def test_plain_lines_tell_each_change_once() -> None:
    unlisted = STATE | {"total": SHARDS | {"total": None}}
    assert shown_plainly(unlisted, STATE, STATE, DONE, DONE) == [
        "plan: success",
        "kubecon-demo-0 create_cluster: success",
        "kubecon-demo-1 create_cluster: up_for_retry",
        "4 of 10 shards done, 3 running, 1 failed, 2 pending",
        "plot: success",
        "kubecon-demo-0 submit_jobs: success",
        "kubecon-demo-1 create_cluster: success",
        "10 of 10 shards done, 0 running, 0 failed, 0 pending",
    ]


def test_plain_lines_have_no_control_characters_and_are_not_cut() -> None:
    console = Console(file=io.StringIO(), width=20, force_terminal=True)
    with PlainView(console) as view:
        view.say("Campaign demo-local: http://127.0.0.1:8080/dags/demo-local/runs/[bold]run[/bold]")
    assert isinstance(console.file, io.StringIO)
    line = console.file.getvalue()
    assert line.endswith("demo-local: http://127.0.0.1:8080/dags/demo-local/runs/[bold]run[/bold]\n")
    assert line.count("\n") == 1
    assert "\x1b" not in line


def test_the_table_shows_the_run_as_it_is_now() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, _environ={})
    with LiveView(console) as view:
        view.show(STATE)
        view.show(DONE)
    assert isinstance(console.file, io.StringIO)
    screen = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", console.file.getvalue())
    rows = [" ".join(line.split()) for line in screen.splitlines()]
    assert "✓ plan ✓ plot" in rows


def printed(width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(render(STATE, wide=width >= 100))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_line_for_each_cluster_and_the_total() -> None:
    lines = printed(80)
    assert lines[0] == "The demo, run one: running, 42 s"
    assert [line.split() for line in lines[3:7]] == [
        ["kubecon-demo-0", "✓●", "5", "3", "4", "2", "4/10", "3", "1", "2", "0.5/s", "10", "s"],
        ["kubecon-demo-1", "↻", "3", "1", "2"],
        ["all", "5", "3", "4", "2", "4/10", "3", "1", "2", "0.5/s", "10", "s"],
        ["✓", "plan", "·", "plot"],
    ]


def test_failures_and_what_is_still_to_be_read_stand_below() -> None:
    assert printed(80)[7:] == [
        *["s of D: exit code 65 [red]"] * 5,
        "and 2 failed shards more",
        "reading results: 4 of 9",
    ]


def test_a_wide_terminal_has_bars_and_a_narrow_one_cuts_nothing() -> None:
    assert "━" in "".join(printed(120))
    assert "…" not in "".join(printed(80))


def test_a_total_is_one_sentence() -> None:
    assert sentence(SHARDS) == "4 of 10 shards done, 3 running, 1 failed, 2 pending"
    assert sentence(SHARDS | {"total": None}) == "shards not listed yet"


@pytest.mark.parametrize(
    ("console", "variable", "kind"),
    [
        (Console(file=io.StringIO(), force_terminal=True, _environ={}), None, LiveView),
        (Console(file=io.StringIO(), _environ={}), None, PlainView),
        (Console(file=io.StringIO(), force_terminal=True, _environ={"NO_COLOR": "1"}), None, PlainView),
        (Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"}), None, PlainView),
        (Console(file=io.StringIO(), force_terminal=True, _environ={}), "CI", PlainView),
    ],
)
def test_only_a_terminal_in_colours_gets_the_table(
    console: Console, variable: str | None, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    if variable:
        monkeypatch.setenv(variable, "true")
    assert type(view_for(console)) is kind

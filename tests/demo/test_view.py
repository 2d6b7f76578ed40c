"""A terminal gets a table that changes in place, everything else plain lines."""

import io
import re

import pytest
from rich.console import Console

from demo.progress import ClusterProgress, Progress
from demo.view import LiveView, PlainView, view_for

HALF_DONE = Progress(
    "running",
    [
        ClusterProgress("kubecon-demo-0", {"create_cluster": "success", "submit_jobs": "running"}, 40, 10),
        ClusterProgress("kubecon-demo-1", {"create_cluster": "up_for_retry", "submit_jobs": None}, 0, 0),
    ],
    {"plan": "success", "plot": None},
)
DONE = Progress(
    "success",
    [
        ClusterProgress("kubecon-demo-0", {"create_cluster": "success", "submit_jobs": "success"}, 40, 40),
        ClusterProgress("kubecon-demo-1", {"create_cluster": "success", "submit_jobs": "success"}, 36, 36),
    ],
    {"plan": "success", "plot": "success"},
)


def shown_plainly(*moments: Progress) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    with PlainView(console) as view:
        for moment in moments:
            view.show(moment)
    assert isinstance(console.file, io.StringIO)
    return [re.sub(r"^\[\d+:\d\d\] ", "", line) for line in console.file.getvalue().splitlines()]


def test_plain_lines_tell_each_change_once() -> None:
    assert shown_plainly(HALF_DONE, HALF_DONE, DONE, DONE) == [
        "plan: success",
        "kubecon-demo-0 create_cluster: success",
        "kubecon-demo-1 create_cluster: up_for_retry",
        "10 of 40 shards done (kubecon-demo-0 10/40, kubecon-demo-1 0/0)",
        "plot: success",
        "kubecon-demo-0 submit_jobs: success",
        "kubecon-demo-1 create_cluster: success",
        "kubecon-demo-1 submit_jobs: success",
        "76 of 76 shards done (kubecon-demo-0 40/40, kubecon-demo-1 36/36)",
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


def test_the_table_shows_clusters_tasks_and_shards() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, _environ={})
    with LiveView(console) as view:
        view.show(HALF_DONE)
    assert isinstance(console.file, io.StringIO)
    screen = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", console.file.getvalue())
    rows = [" ".join(line.split()) for line in screen.splitlines()]
    assert rows[rows.index("create submit") + 1] == "cluster cluster jobs shards"
    assert [re.sub("[━╸╺]+", "#", row) for row in rows if row.startswith("kubecon-demo")][-2:] == [
        "kubecon-demo-0 ✓ ● # 10/40",
        "kubecon-demo-1 ↻ · #",
    ]
    assert "✓ plan · plot" in rows
    assert "10 of 40 shards done · 0:00" in rows


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

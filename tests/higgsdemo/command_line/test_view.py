"""A terminal gets a table that changes in place, everything else plain lines."""

import io
import re
from typing import Any

import pytest
from rich.console import Console

from higgsdemo.command_line.view import LiveView, PlainView, render, view_for
from watched_runs import DONE, SHARDS, STATE


def told(console: Console) -> str:
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def shown_plainly(*moments: dict[str, Any]) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    with PlainView(console) as view:
        for moment in moments:
            view.show(moment)
    return [re.sub(r"^\[\d+:\d\d\] ", "", line) for line in told(console).splitlines()]


def test_plain_lines_tell_each_change_once() -> None:
    unlisted = STATE | {"total": SHARDS | {"said": "shards not listed yet"}}
    assert shown_plainly(unlisted, STATE, STATE, DONE, DONE) == [
        "plan: success",
        "kubecon-demo-0 create_cluster: success",
        "kubecon-demo-1 create_cluster: up_for_retry",
        "4 of 10 shards done, 1 failed, 3 running, 2 pending",
        "plot: success",
        "kubecon-demo-0 submit_jobs: success",
        "kubecon-demo-1 create_cluster: success",
        "Cores asked, enough: 0.9, 0.4",
        "10 of 10",
    ]


def test_plain_lines_have_no_control_characters_and_are_not_cut() -> None:
    console = Console(file=io.StringIO(), width=20, force_terminal=True)
    with PlainView(console) as view:
        view.say("Campaign demo-local: http://127.0.0.1:8080/dags/demo-local/runs/[bold]run[/bold]")
    line = told(console).partition("] ")[2]
    assert line == "Campaign demo-local: http://127.0.0.1:8080/dags/demo-local/runs/[bold]run[/bold]\n"


def test_the_table_shows_the_run_as_it_is_now() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, _environ={})
    with LiveView(console) as view:
        view.show(STATE)
        view.show(DONE)
    screen = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", told(console))
    rows = [" ".join(line.split()) for line in screen.splitlines()]
    assert "✓ plan ✓ plot" in rows


def printed(width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(render(STATE, wide=width >= 100))
    return [line.rstrip() for line in told(console).splitlines()]


def test_a_line_for_each_cluster_and_the_total() -> None:
    lines = printed(80)
    assert lines[0] == "The demo, run one: running, 42 s"
    assert [line.split() for line in lines[3:7]] == [
        ["kubecon-demo-0", "✓●", "5", "3", "4", "2", "4/10", "3", "1", "2", "0.5/s", "10", "s"],
        ["kubecon-demo-1", "↻", "4", "3", "1", "2"],
        ["all", "5", "3", "4", "2", "4/10", "3", "1", "2", "0.5/s", "10", "s"],
        ["✓", "plan", "·", "plot"],
    ]


def test_failures_and_what_is_still_to_be_read_stand_below() -> None:
    assert printed(80)[7:] == [
        *["s of D: exit code 65 [red]"] * 5,
        "and 2 failed shards more",
        "kubecon-demo-1 waits: no node has room",
        "reading results: 4 of 9",
    ]


def test_what_has_failed_is_told_with_its_reason_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = STATE | {"causes": [{"text": "plan: no key maping"}], "advice": "Mend it."}
    monkeypatch.setitem(STATE, "causes", failed["causes"])
    assert printed(80)[7] == "plan: no key maping"
    assert shown_plainly(failed, failed)[-3:-1] == ["plan: no key maping", "Mend it."]


def test_a_wide_terminal_has_bars_and_a_narrow_one_cuts_nothing() -> None:
    assert "━" in "".join(printed(120))
    assert "…" not in "".join(printed(80))


@pytest.mark.parametrize(
    ("forced", "environ", "ci", "view"),
    [
        (True, {}, False, "LiveView"),
        (False, {}, False, "PlainView"),
        (True, {"NO_COLOR": "1"}, False, "PlainView"),
        (True, {"TERM": "dumb"}, False, "PlainView"),
        (True, {}, True, "PlainView"),
    ],
)
def test_only_a_terminal_in_colours_gets_the_table(
    forced: bool, environ: dict[str, str], ci: bool, view: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    if ci:
        monkeypatch.setenv("CI", "true")
    console = Console(file=io.StringIO(), force_terminal=forced or None, _environ=environ)
    assert type(view_for(console)).__name__ == view


def test_a_terminal_obeys_nothing_of_what_a_bucket_a_pod_or_a_campaign_says() -> None:
    evil = "[red]x[/red] :smile: \x1b[2J\x9b2J\u202e\x07"
    state = STATE | {
        "title": evil,
        "run": STATE["run"] | {"run_id": evil},
        "clusters": [STATE["clusters"][0] | {"name": evil, "waiting": evil}],
        "slow": [{"dataset": evil, "cluster": evil, "eta": 1.0}],
        "stragglers": [{"shard": evil, "dataset": evil, "cluster": evil}],
        "reading": STATE["reading"] | {"error": evil},
        "failures": {"count": 1, "shown": [{"shard": evil, "dataset": evil, "reason": evil}]},
    }
    console = Console(file=io.StringIO(), width=300)
    with PlainView(console) as view:
        view.show(state)
        view.say(evil)
        view.print(evil, render(state, wide=False))
    assert told(console).replace("\n", "").isprintable()
    assert told(console).count("[red]x[/red] :smile: \\u001b[2J\\u009b2J\\u202e\\u0007") >= 12

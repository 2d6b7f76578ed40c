"""How `higgsdemo watch` follows a run, and when it ends."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from higgsdemo.command_line import campaign_run
from higgsdemo.command_line.campaign_run import Watched, show_live
from higgsdemo.command_line.view import PlainView
from watched_runs import DONE, STATE

DENIED = {"read": 0, "found": 0, "complete": False, "error": "access denied \x1b[2J"}


class Answers:
    """What an Airflow answers, look after look, the last again and again."""

    def __init__(self, *states: dict[str, Any]) -> None:
        self._states: Iterator[dict[str, Any]] = iter(states)
        self._last: dict[str, Any] = {}

    def campaign_run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        self._last = next(self._states, self._last)
        return self._last


@pytest.mark.parametrize(
    "ended", [DONE | {"reading": DENIED}, DONE | {"reading": DENIED | {"complete": True}}]
)
def test_a_run_whose_folder_cannot_be_read_is_left_once_it_has_ended_and_the_reason_is_told(
    monkeypatch: pytest.MonkeyPatch, ended: dict[str, Any]
) -> None:
    monkeypatch.setattr(campaign_run, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(campaign_run, "_UNREADABLE_SECONDS", 0.05)
    told = io.StringIO()
    running = STATE | {"reading": DENIED}
    followed = Watched(Answers(running, running, ended), "higgs", "one")  # type: ignore[arg-type]
    assert show_live(followed, PlainView(Console(file=told, width=80))) == ended
    lines = [line.partition("] ")[2] for line in told.getvalue().splitlines()]
    assert lines[-2:] == ["access denied \\u001b[2J", "run one: success"]

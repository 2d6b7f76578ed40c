"""Show a run live: as a table on a terminal, as plain lines anywhere else.

It shows the run's state as the campaign's page in Airflow has it, so that both always agree.
"""

import os
import time
from abc import ABC, abstractmethod
from typing import Any, Self

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from higgsdemo.wording import one_of, printable_lines, quote

State = dict[str, Any]
"""A run as `/higgs/api/run` answers."""

_MARKS = {
    None: ("·", "dim"),
    "success": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "upstream_failed": ("✗", "red"),
    "up_for_retry": ("↻", "yellow"),
    "skipped": ("–", "dim"),
    "running": ("●", "bold cyan"),
    "deferred": ("◐", "cyan"),
}
_WAITING = ("○", "dim cyan")
_ENDS = ("success", "failed", "upstream_failed", "up_for_retry", "skipped")
"""States of tasks that are printed where there is no terminal."""

_STYLES = {"success": "green", "failed": "bold red", "running": "cyan"}
_PODS = {"pending": "pend", "running": "run", "succeeded": "ok", "failed": "fail"}
_SHARDS = {"done": "done", "running": "run", "failed": "fail", "pending": "pend"}
WIDE = 100
"""Columns of a terminal with room for bars."""

_UNLISTED = "shards not listed yet"

_LINE_SECONDS = 5.0
"""Seconds between two lines on the number of shards, where there is no terminal."""

_FAILURES = 5
"""Failed shards that are named."""


class View(ABC):
    """What a command prints through; used as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    @abstractmethod
    def say(self, text: str) -> None:
        """Print a line that stays."""

    @abstractmethod
    def show(self, state: State) -> None:
        """Show the run as it is now."""

    def print(self, *content: RenderableType) -> None:
        """Print tables and texts that stay."""
        for item in content:
            self._console.print(_plain(item) if isinstance(item, str) else item, soft_wrap=True)


def view_for(console: Console) -> View:
    """Return the live view for a terminal in colours, else plain lines (a pipe, CI, NO_COLOR)."""
    plain = not console.is_terminal or console.is_dumb_terminal or console.no_color or "CI" in os.environ
    return PlainView(console) if plain else LiveView(console)


class LiveView(View):
    """One table that changes in place."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._state: State | None = None
        self._live = Live(console=console, refresh_per_second=4, get_renderable=self._render)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        self._console.print(_plain(text))

    def print(self, *content: RenderableType) -> None:
        """Print below what was shown so far, and leave the table above as it is."""
        self._live.stop()
        super().print(*content)

    def show(self, state: State) -> None:
        self._state = state

    def _render(self) -> RenderableType:
        if self._state is None:
            return Text(f" {clock(time.monotonic() - self._began)}", style="dim")
        return render(self._state, self._console.width >= WIDE)


class PlainView(View):
    """One line for each event, without colours."""

    def __init__(self, console: Console) -> None:
        plain = Console(
            file=console.file, no_color=True, highlight=False, force_terminal=False, width=console.width
        )
        super().__init__(plain)
        self._seen: dict[str, str | None] = {}
        self._texts: list[str] = []
        self._told: tuple[float, str] = (0.0, _UNLISTED)

    def say(self, text: str) -> None:
        """Print a line with the time since the start."""
        stamp = clock(time.monotonic() - self._began)
        self._console.print(_plain(f"[{stamp}] {text}"), soft_wrap=True)

    def show(self, state: State) -> None:
        """Print what has changed since the last time."""
        for task, now in _tasks(state):
            if now in _ENDS and self._seen.get(task) != now:
                self.say(f"{task}: {now}")
            self._seen[task] = now if now in _ENDS else None
        (then, told), shards, ended = self._told, state["total"]["said"], state["run"]["ended_all"]
        texts = why(state) + tell_used(state)
        for text in texts:
            if text not in self._texts:
                self.say(text)
        self._texts = texts
        if shards != told and (time.monotonic() - then >= _LINE_SECONDS or ended):
            self._told = (time.monotonic(), shards)
            self.say(shards)


class ClusterView(PlainView):
    """The pods and Jobs of one cluster, as the tool of 2019 told them, which had a Job for each shard.

    :raises ValueError: when the run has no such cluster.
    """

    def __init__(self, console: Console, cluster: str) -> None:
        super().__init__(console)
        self._cluster = cluster
        self._last: list[str] = []

    def show(self, state: State) -> None:
        clusters = {line["name"]: line for line in state["clusters"]}
        if clusters and self._cluster not in clusters:
            raise ValueError(f"the run has no cluster {quote(self._cluster)}; it has {one_of(clusters)}")
        lines = why(state) if state["run"]["ended_all"] else []
        if clusters:  # planned
            pods, jobs = clusters[self._cluster]["pods"], clusters[self._cluster]["shards"]
            counts = {"pods": pods, "jobs": jobs | {"succeeded": jobs["done"]}}
            lines[:0] = [
                f"{what}: " + ", ".join(f"{phase.capitalize()} {of[phase]}" for phase in _PODS)
                for what, of in counts.items()
            ]
        if lines != self._last:
            self._last = lines
            self.print(*lines)


def render(state: State, wide: bool) -> RenderableType:
    """Render a line for each cluster and the total, then the tasks outside of them, and what went wrong."""
    run = state["run"]
    heading = Text.assemble(
        _plain(f"{state['title']}, run {run['run_id']}: "),
        (run["state"], _STYLES.get(run["state"], "")),
        "" if run["started"] is None else f", {(run['ended'] or time.time()) - run['started']:.0f} s",
    )
    marks = []
    for stage in _stages(state):
        mark, style = _mark(stage["state"])
        marks.append(Text(f"{mark} {stage['name']}", style=style))
    bad = [_plain(text, "red") for text in (*why(state), *failed_shards(state)[:_FAILURES])]
    return Group(heading, _table(state, wide), Columns(marks, padding=(0, 2)), *bad, *_remarks(state))


def why(state: State) -> list[str]:
    """Return what has failed and why, and what to do then."""
    return [cause["text"] for cause in state["causes"]] + ([state["advice"]] if state["advice"] else [])


def tell_used(state: State) -> list[str]:
    """Return what pods of a run that has ended asked for, what their shards used, and what is enough."""
    told = state["account"] if state["run"]["ended_all"] else []
    return [f"{name}: {cells[-1]}" for name, *cells in told if name.startswith(("Memory", "Cores"))]


def failed_shards(state: State) -> list[str]:
    """Return the failed shards that are told by name, each with its reason."""
    return [f"{f['shard']} of {f['dataset']}: {f['reason']}" for f in state["failures"]["shown"]]


def _table(state: State, wide: bool) -> Table:
    table = Table(box=None, padding=(0, 0, 0, 1), header_style="dim")
    table.add_column("\ncluster")
    table.add_column("\ntasks", no_wrap=True)
    for title in _titles("pods", _PODS):
        table.add_column(title, justify="right", no_wrap=True)
    if wide:
        table.add_column("", width=18)
    for title in (*_titles("shards", _SHARDS), "\nrate", "\nto go"):
        table.add_column(title, justify="right", no_wrap=True)
    for line in state["clusters"]:
        marks = Text.assemble(*(_mark(step["state"]) for step in line["steps"]))
        table.add_row(*_row(line["name"], marks, line["pods"], line["shards"], wide))
    table.add_row(*_row("all", Text(), state["pods"], state["total"], wide), style="bold")
    return table


def _titles(group: str, parts: dict[str, str]) -> list[str]:
    """Return the titles of a group of columns, which stands above the first of them."""
    return [f"{group if number == 0 else ''}\n{part}" for number, part in enumerate(parts.values())]


def _row(name: str, marks: Text, pods: dict[str, int], shards: State, wide: bool) -> list[RenderableType]:
    whole = shards["total"]
    bars = [ProgressBar(total=max(whole or 0, 1), completed=shards["done"], width=16)] if wide else []
    done = f"{shards['done']}/{whole}" if whole is not None else str(shards["done"] or "")
    rate = f"{shards['rate']:.1f}/s" if shards["rate"] else ""
    to_go = f"{shards['eta']:.0f} s" if shards["eta"] is not None else ""
    counts = [str(shards[part]) for part in list(_SHARDS)[1:]]
    seen = [str(pods[phase]) if any(pods.values()) else "" for phase in _PODS]
    return [_plain(name), marks, *seen, *bars, done, *counts, rate, to_go]


def _stages(state: State) -> list[State]:
    """Render the tasks outside of the clusters; those inside are in the clusters' lines."""
    return [stage for stage in state["stages"] if stage["name"] != "cluster"]


def _tasks(state: State) -> list[tuple[str, str | None]]:
    """Return every task with its state."""
    clusters = [
        (f"{line['name']} {step['name']}", step["state"])
        for line in state["clusters"]
        for step in line["steps"]
    ]
    return [(stage["name"], stage["state"]) for stage in _stages(state)] + clusters


def _remarks(state: State) -> list[Text]:
    reading, failed = state["reading"], state["failures"]["count"]
    remarks = [f"and {failed - _FAILURES} failed shards more"] if failed > _FAILURES else []
    for cluster in state["clusters"]:
        if cluster["waiting"]:
            remarks.append(f"{cluster['name']} waits: {cluster['waiting']}")
    remarks += tell_used(state)
    for one in state["slow"]:
        remarks.append(f"slow: {one['dataset']} in {one['cluster']}, about {one['eta']:.0f} s to go")
    for one in state["stragglers"][:5]:
        remarks.append(f"still without a result: {one['shard']} of {one['dataset']} in {one['cluster']}")
    if reading["error"]:
        remarks.append(reading["error"])
    elif not reading["complete"] and reading["found"]:
        remarks.append(f"reading results: {reading['read']} of {reading['found']}")
    return [_plain(remark, "dim") for remark in remarks]


def _plain(text: str, style: str = "") -> Text:
    """Return text from a bucket or a pod without markup or control characters that a terminal obeys."""
    return Text("\n".join(printable_lines(text)), style)


def _mark(state: str | None) -> tuple[str, str]:
    return _MARKS.get(state, _WAITING)


def clock(seconds: float) -> str:
    """Write seconds as minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"

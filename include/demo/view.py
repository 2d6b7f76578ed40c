"""Shows a campaign while it runs: a live table on a terminal, plain lines anywhere else."""

import os
import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from demo.progress import ClusterProgress, Progress

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

_BAR = 12
"""Characters of a cluster's progress bar; the whole table fits 80."""

_SHARDS_EVERY = 5.0
"""Seconds between two lines on the number of shards, where there is no terminal."""


class View(Protocol):
    """What the demo shows itself through; used as a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def say(self, text: str) -> None:
        """Print a line that stays."""

    def show(self, progress: Progress) -> None:
        """Show the campaign as it is now."""

    def print(self, *content: RenderableType) -> None:
        """Print tables and texts that stay."""


def view_for(console: Console) -> View:
    """The live view for a terminal in colours, plain lines for anything else (a pipe, CI, NO_COLOR)."""
    plain = not console.is_terminal or console.is_dumb_terminal or console.no_color or "CI" in os.environ
    return PlainView(console) if plain else LiveView(console)


class LiveView:
    """One table that changes in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._progress: Progress | None = None
        self._live = Live(console=console, refresh_per_second=8, get_renderable=self._render)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        """Print a line above the table."""
        self._console.print(Text(text))

    def print(self, *content: RenderableType) -> None:
        """Print below what was shown so far, after the table has been left as it is."""
        self._live.stop()
        _print(self._console, *content)

    def show(self, progress: Progress) -> None:
        """Put the campaign as it is now into the table."""
        self._progress = progress

    def _render(self) -> RenderableType:
        elapsed = _clock(time.monotonic() - self._began)
        if self._progress is None:
            return Text(f" {elapsed}", style="dim")
        progress = self._progress
        shards = (
            f"{progress.done} of {progress.shards} shards done" if progress.shards else progress.run_state
        )
        return Group(
            Text(),
            _clusters_table(progress.clusters),
            Text.assemble(" ", *_marked_tasks(progress.tasks)),
            Text(f" {shards} · {elapsed}", style="bold"),
        )


class PlainView:
    """One line for each thing that happens, without colours."""

    def __init__(self, console: Console) -> None:
        self._console = Console(
            file=console.file, no_color=True, highlight=False, force_terminal=False, width=console.width
        )
        self._began = time.monotonic()
        self._seen: dict[str, str | None] = {}
        self._shards = (0.0, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def say(self, text: str) -> None:
        """Print a line with the time since the start."""
        stamp = _clock(time.monotonic() - self._began)
        self._console.print(Text(f"[{stamp}] {text}"), soft_wrap=True)

    def print(self, *content: RenderableType) -> None:
        """Print tables and texts as they are."""
        _print(self._console, *content)

    def show(self, progress: Progress) -> None:
        """Print what changed since the last time."""
        states = {task: state for task, state in progress.tasks.items()}
        for cluster in progress.clusters:
            states |= {f"{cluster.name} {task}": state for task, state in cluster.tasks.items()}
        for task, state in states.items():
            if state in ("success", "failed", "upstream_failed", "up_for_retry", "skipped"):
                if self._seen.get(task) != state:
                    self.say(f"{task}: {state}")
                self._seen[task] = state
            else:
                self._seen.pop(task, None)
        then, done = self._shards
        now = time.monotonic()
        if progress.done != done and (now - then >= _SHARDS_EVERY or progress.done == progress.shards):
            self._shards = (now, progress.done)
            parts = ", ".join(
                f"{cluster.name} {cluster.done}/{cluster.shards}" for cluster in progress.clusters
            )
            self.say(f"{progress.done} of {progress.shards} shards done ({parts})")


def _print(console: Console, *content: RenderableType) -> None:
    for item in content:
        console.print(Text(item) if isinstance(item, str) else item, soft_wrap=True)


def _clusters_table(clusters: list[ClusterProgress]) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column("cluster", no_wrap=True, vertical="bottom")
    names = list(dict.fromkeys(task for cluster in clusters for task in cluster.tasks))
    for name in names:
        table.add_column(name.replace("_", "\n"), justify="center", vertical="bottom")
    table.add_column("shards", min_width=_BAR)
    table.add_column("", justify="right", no_wrap=True)
    for cluster in clusters:
        marks = [Text(*_mark(cluster.tasks.get(name))) for name in names]
        bar = ProgressBar(total=max(cluster.shards, 1), completed=cluster.done, width=_BAR)
        count = f"{cluster.done}/{cluster.shards}" if cluster.shards else ""
        table.add_row(Text(cluster.name), *marks, bar, count)
    return table


def _marked_tasks(tasks: dict[str, str | None]) -> list[Text | str]:
    parts: list[Text | str] = []
    for name, state in tasks.items():
        mark, style = _mark(state)
        parts += [Text(f"{mark} {name}", style=style), "   "]
    return parts


def _mark(state: str | None) -> tuple[str, str]:
    return _MARKS.get(state, _WAITING)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"

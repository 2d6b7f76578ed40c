"""The terminal's view of a run: pods by phase and shards by state, by cluster and in total.

It shows what the campaign page in Airflow shows, from the same answer, so it needs Airflow's address and a
login but no access to clusters or buckets.
"""

import json
import time
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from demo.airflow_api import FINISHED, Airflow, AirflowAwayError, AirflowError

_LOOK_SECONDS = 1.0
_LINE_SECONDS = 5.0
"""Seconds between two lines, where there is no terminal."""

_PODS = {"pending": "pend", "running": "run", "succeeded": "ok", "failed": "fail"}
_SHARDS = {"done": "done", "running": "run", "failed": "fail", "pending": "pend"}
_WIDE = 100
"""Columns of a terminal that has room for bars."""

_STYLES = {"success": "green", "failed": "bold red", "running": "cyan"}
_AWAY_SECONDS = 120.0

State = dict[str, Any]


class Watched:
    """One run of a campaign, the latest one unless it is named. Raises AirflowError when there is none."""

    def __init__(self, airflow: Airflow, dag_id: str, run_id: str | None) -> None:
        self._airflow = airflow
        self._dag_id = dag_id
        runs = [] if run_id else airflow.campaign(dag_id)["runs"]
        if not run_id and not runs:
            raise AirflowError(f"{dag_id} has not run yet")
        self._run_id = run_id or str(runs[0]["run_id"])

    def look(self) -> State:
        """The run as it is now, as far as the server has read its results."""
        return self._airflow.campaign_run(self._dag_id, self._run_id)

    def look_whole(self) -> State:
        """The same, once the server has read all results that there are."""
        while True:
            state = self.look()
            if state["reading"]["complete"] or state["reading"]["error"] or not state["clusters"]:
                return state
            time.sleep(0.2)


def show_once(watched: Watched, console: Console, as_json: bool) -> int:
    """Print the run as it is now, for people or as JSON; the exit code is 0."""
    state = watched.look_whole()
    if as_json:
        print(json.dumps({key: value for key, value in state.items() if key != "chart"}, indent=2))
    else:
        console.print(render(state, console.width >= _WIDE))
    return 0


def show_live(watched: Watched, console: Console) -> int:
    """Show the run until it ends; the exit code is 1 when it has failed."""
    state = watched.look()
    if not console.is_terminal:
        return _lines(watched, console)
    wide = console.width >= _WIDE
    with Live(render(state, wide), console=console, auto_refresh=False) as live:
        for state in _until_the_end(watched):
            live.update(render(state, wide), refresh=True)
    return _exit_code(state)


def render(state: State, wide: bool) -> RenderableType:
    """One table: a line for each cluster, and the total."""
    run = state["run"]
    table = Table(box=None, padding=(0, 0, 0, 1), header_style="dim")
    table.add_column("\ncluster")
    for name in _PODS.values():
        table.add_column(f"pods\n{name}", justify="right", no_wrap=True)
    if wide:
        table.add_column(" shards", width=18)
    for name in (*_SHARDS.values(), "rate", "to go"):
        table.add_column(
            f"shards\n{name}" if name in _SHARDS.values() else f"\n{name}", justify="right", no_wrap=True
        )
    for line in state["clusters"]:
        table.add_row(*_row(line["name"], line["pods"], line["shards"], wide))
    table.add_row(*_row("all", state["pods"], state["total"], wide), style="bold")
    heading = Text.assemble(
        f"{state['title']}, run {run['run_id']}: ",
        (run["state"], _STYLES.get(run["state"], "")),
        _elapsed(run),
    )
    failures = [Text(f"{f['shard']} of {f['dataset']}: {f['reason']}", "red") for f in _failures(state)]
    return Group(heading, table, *failures, *_remarks(state))


def _lines(watched: Watched, console: Console) -> int:
    told, said = 0.0, ""
    state: State = {}
    for state in _until_the_end(watched):
        line = sentence(state)
        if line != said and (time.monotonic() - told > _LINE_SECONDS or state["run"]["ended_all"]):
            told, said = time.monotonic(), line
            console.print(Text(line), soft_wrap=True)
    return _exit_code(state)


def sentence(state: State) -> str:
    """The total in one line."""
    total, run = state["total"], state["run"]
    shards = "shards not listed yet"
    if total["total"] is not None:
        parts = ", ".join(f"{total[part]} {part}" for part in list(_SHARDS)[1:])
        shards = f"{total['done']} of {total['total']} shards done, {parts}"
    return f"{run['run_id']} {run['state']}: {shards}"


def _until_the_end(watched: Watched) -> Any:
    answered = time.monotonic()
    while True:
        try:
            state = watched.look()
        except AirflowAwayError:
            if time.monotonic() - answered > _AWAY_SECONDS:
                raise
        else:
            answered = time.monotonic()
            yield state
            if state["run"]["state"] in FINISHED and (state["reading"]["complete"] or not state["clusters"]):
                return
        time.sleep(_LOOK_SECONDS)


def _row(name: str, pods: dict[str, int], shards: State, wide: bool) -> list[RenderableType]:
    whole = shards["total"]
    bars = [ProgressBar(total=max(whole or 0, 1), completed=shards["done"], width=16)] if wide else []
    done = f"{shards['done']}/{whole}" if whole is not None else ""
    rate = f"{shards['rate']:.1f}/s" if shards["rate"] else ""
    to_go = f"{shards['eta']:.0f} s" if shards["eta"] is not None else ""
    counts = [str(shards[part]) for part in list(_SHARDS)[1:]]
    seen = [str(pods[phase]) if any(pods.values()) else "" for phase in _PODS]
    return [name, *seen, *bars, done, *counts, rate, to_go]


def _failures(state: State) -> list[State]:
    shown: list[State] = state["failures"]["shown"][:5]
    return shown


def _remarks(state: State) -> list[Text]:
    reading, failed = state["reading"], state["failures"]["count"]
    remarks = [f"and {failed - 5} failed shards more"] if failed > 5 else []
    for one in state["slow"]:
        remarks.append(f"slow: {one['dataset']} in {one['cluster']}, about {one['eta']:.0f} s to go")
    for one in state["stragglers"][:5]:
        remarks.append(f"still without a result: {one['shard']} of {one['dataset']} in {one['cluster']}")
    if reading["error"]:
        remarks.append(reading["error"])
    elif not reading["complete"] and reading["found"]:
        remarks.append(f"reading results: {reading['read']} of {reading['found']}")
    return [Text(remark, "dim") for remark in remarks]


def _elapsed(run: State) -> str:
    if run["started"] is None:
        return ""
    return f", {(run['ended'] or time.time()) - run['started']:.0f} s"


def _exit_code(state: State) -> int:
    return 1 if state["run"]["state"] == "failed" else 0

"""The commands that look at runs: which there are, how one goes on, and why it has failed."""

import json
import time
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from higgsdemo.command_line.airflow_api import Airflow
from higgsdemo.command_line.campaign_run import Watched, show_live
from higgsdemo.command_line.ending import FAILED
from higgsdemo.command_line.options import as_json, campaign, of_campaign, refuse_keys, run, with_airflow
from higgsdemo.command_line.view import WIDE, ClusterView, State, failed_shards, render, view_for, why
from higgsdemo.wording import printable


@click.command()
@with_airflow
@campaign
@as_json
def runs(airflow: Airflow, campaign: str | None, as_json: bool) -> None:
    """List the latest runs of all campaigns, or of one."""
    found = [airflow.campaign(campaign)] if campaign else airflow.campaigns()
    if as_json:
        print(json.dumps(found, indent=2))
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("campaign", "run", "state", "started", "seconds"):
        table.add_column(column, overflow="fold", justify="right" if column == "seconds" else "left")
    for one in found:
        if not one["runs"]:
            table.add_row(printable(one["dag_id"]), "", "has not run yet")
        for each in one["runs"]:
            began, ended = each["started"], each["ended"] or time.time()
            when = f"{datetime.fromtimestamp(began).astimezone():%Y-%m-%d %H:%M}" if began else ""
            took = f"{ended - began:.0f}" if began else ""
            table.add_row(*map(printable, (one["dag_id"], each["run_id"], each["state"], when, took)))
    Console(highlight=False, markup=False).print(table)


@click.command()
@refuse_keys
@with_airflow
@of_campaign
@run
@click.option("--cluster", metavar="NAME", help="The pods and Jobs of this cluster, a line each, as in 2019.")
@click.option("--once", is_flag=True, help="As it is now, instead of until it ends.")
@as_json
def watch(
    airflow: Airflow, dag_id: str, run: str | None, cluster: str | None, once: bool, as_json: bool
) -> int:
    """Show a run by cluster until it ends.

    RUN is by default the latest.
    """
    watched, console = Watched(airflow, dag_id, run), Console(highlight=False)
    view = ClusterView(console, cluster) if cluster else view_for(console)
    state = watched.look_whole() if once or as_json else show_live(watched, view)
    if as_json:
        _print_json(state)
    elif once and cluster:
        view.show(state)
    elif once:
        console.print(render(state, console.width >= WIDE))
    return _code(state)


@click.command("why")
@with_airflow
@of_campaign
@run
@as_json
def tell_why(airflow: Airflow, dag_id: str, run: str | None, as_json: bool) -> int:
    """Say why a run has failed, and what to do then.

    RUN is by default the latest.
    """
    state = Watched(airflow, dag_id, run).look_whole()
    told = [*why(state), *failed_shards(state)]
    if as_json:
        _print_json({key: state[key] for key in ("run", "causes", "advice", "failures")})
    else:
        view_for(Console(highlight=False, no_color=True)).print(
            f"run {state['run']['run_id']}: {state['run']['state']}", *(told or ["Nothing has failed."])
        )
    return _code(state)


def _print_json(state: dict[str, Any]) -> None:
    print(json.dumps({key: value for key, value in state.items() if key != "chart"}, indent=2))


def _code(state: State) -> int:
    return FAILED if state["run"]["state"] == "failed" else 0

"""The commands that start a run: all of its stages, some as with the tool of 2019, or what is left of one."""

import json
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console

from higgsdemo.campaign.trigger_conf import check_conf
from higgsdemo.command_line.airflow_api import Airflow, AirflowError
from higgsdemo.command_line.campaign_run import CampaignRun, CampaignRunError, Watched, refuse_unread
from higgsdemo.command_line.options import (
    Command,
    as_json,
    follow,
    of_campaign,
    refuse_keys,
    run,
    with_airflow,
    with_conf,
)
from higgsdemo.command_line.view import view_for
from higgsdemo.wording import did_you_mean, quote

_START = datetime.fromtimestamp(0, UTC)


@click.command("run")
@with_airflow
@with_conf
@follow
@as_json
def run_all(airflow: Airflow, dag_id: str, conf: dict[str, Any], follow: bool, as_json: bool) -> None:
    """Run a campaign."""
    start(airflow, dag_id, conf, follow, as_json)


@click.command()
@with_airflow
@of_campaign
@run
@click.option("--max-shards", type=int, help="More shards of each dataset than the run had.")
@follow
@as_json
def resume(
    airflow: Airflow, dag_id: str, run: str | None, max_shards: int | None, follow: bool, as_json: bool
) -> None:
    """Finish a run: its shards that have no result.

    RUN is by default the latest.
    """
    watched = Watched(airflow, dag_id, run)
    state = watched.look()["run"]
    triggered_with = airflow.conf(dag_id, state["run_id"])
    name = state["name"] or triggered_with.get("run_name")
    if not name:
        raise CampaignRunError(f"The run {state['run_id']} was not planned: run the campaign anew")
    if not state["ended_all"]:
        raise AirflowError(f"the run {state['run_id']} goes on: watch it, or end it in Airflow first")
    conf = {key: value for key, value in triggered_with.items() if key == "storage"}
    conf |= {"run_name": name, "resume": True} | ({} if max_shards is None else {"max_shards": max_shards})
    check_conf(conf)
    start(airflow, dag_id, conf, follow, as_json)


def of_stage(name: str, stage: str, doc: str) -> click.Command:
    """Return a command of 2019, which runs one stage."""

    def command(airflow: Airflow, dag_id: str, conf: dict[str, Any], follow: bool, as_json: bool) -> None:
        start(airflow, dag_id, {"stages": [stage], **conf}, follow, as_json)

    made: Command = command
    for option in (as_json, follow, with_conf, refuse_keys, with_airflow):
        made = option(made)
    return click.command(name, help=doc)(made)


STAGES = (
    of_stage("clusters-create", "create", "Create the clusters of a campaign."),
    of_stage("prepare", "prepare", "Pull the image on every node of the clusters."),
    of_stage("submit", "submit", "Submit the Jobs, and merge their results."),
    of_stage(
        "cleanup",
        "cleanup",
        "Remove the Jobs of a campaign.\n\nWith --set cleanup=clusters the clusters that it has made, too.",
    ),
)


def start(airflow: Airflow, dag_id: str, conf: dict[str, Any], follow: bool, as_json: bool) -> None:
    """Start a run of a campaign that Airflow has, and say where it is.

    :raises AirflowError: when Airflow does not have it, or does not run it.
    :raises CampaignRunError: when its file does not load, or a run that is followed fails.
    """
    paused = airflow.is_paused(dag_id)
    if paused is None:
        refuse_unread(airflow, dag_id, _START)
        known = sorted(campaign["dag_id"] for campaign in airflow.campaigns())
        raise AirflowError(
            f"Airflow has no campaign {quote(dag_id)}{did_you_mean(dag_id, known)} (the campaigns are "
            f"{', '.join(known) or 'none that you may read'}; a new file takes about half a minute)"
        )
    if paused:
        raise AirflowError(f"{dag_id} is paused: switch it on in Airflow, or `airflow dags unpause {dag_id}`")
    started = CampaignRun(airflow, dag_id, conf)
    view = view_for(Console(highlight=False, stderr=as_json))
    with view:
        try:
            started.start()
            if as_json:  # also of a run that fails while it is followed
                print(json.dumps({"campaign": dag_id, "run": started.run_id, "url": started.url}), flush=True)
            view.say(f"Campaign {dag_id}, run {started.run_id}: {started.url}")
            if follow:
                started.follow(view)
                view.print("", started.report())
        except KeyboardInterrupt:
            told = "The run goes on, if Airflow has it"
            view.print(f"{told}: higgsdemo watch {started.run_id} --campaign {dag_id}")
            raise

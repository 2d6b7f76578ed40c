"""The command behind `make rehearsal`."""

import json
import os
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from demo.command import run_campaign
from demo.demo_data import bucket_name
from demo.lifecycle import bring_up
from demo.settings import REHEARSAL, REPOSITORY, Settings, StandIns, campaign_file
from demo.supervision import Supervision
from higgsdemo.campaign import Campaign, apply_conf, load_campaign, parse_campaign
from higgsdemo.campaign.load import CONFIG
from higgsdemo.catalogue.files import DATASETS
from higgsdemo.command_line import options
from higgsdemo.command_line.campaign_run import CampaignRunError
from higgsdemo.command_line.ending import carry_out
from higgsdemo.command_line.view import View, clock, view_for
from rehearsal.components import Components
from rehearsal.names import scale_catalogue

STATE = REPOSITORY / ".run" / REHEARSAL
POD_SECONDS = 2.0
MEMORY_A_POD = "1Gi"  # nodes of localkube have 2 GiB a core, those of the campaign 6.5


def main(arguments: list[str] | None = None) -> int:
    """Rehearse a campaign, and return the exit code."""
    return carry_out(lambda: rehearsal.main(arguments, "python -m rehearsal", standalone_mode=False))


def stand_ins(state: Path, campaign: Campaign) -> StandIns:
    """Return what replaces a cloud: a fast S3 server with the catalogue's files, and simulated nodes."""
    kubeconfig = Settings.load(state).kubeconfig
    return StandIns(
        s3=("rehearsal.store", "--fill", bucket_name(campaign.storage.input), campaign.catalogue),
        simulate={"seconds": POD_SECONDS},
        pods=("rehearsal.pods", "--kubeconfig", str(kubeconfig), "--catalogue", campaign.catalogue),
    )


def rehearse(campaign: Campaign) -> Campaign:
    """Return the campaign with each cluster on as many simulated nodes and cores, in one zone."""
    mapping = [
        {
            "name": cluster.name,
            "provider": "local",
            "flavor": f"local-{cluster.cores or 1}",
            "nodes": cluster.nodes,
            "resources": {"memory": MEMORY_A_POD},
            "shards_per_pod": "auto",
        }
        for cluster in campaign.clusters()
    ]
    document = campaign.model_dump(mode="json", by_alias=True, exclude_unset=True)
    storage = document["storage"] | {"connection": "higgs_s3"}
    return parse_campaign(document | {"mapping": mapping, "storage": storage}, "the rehearsal")


def _write(campaign: Campaign, dag_id: str, state: Path) -> None:
    """Make this the only campaign that the services find."""
    folder = state / "config"
    folder.mkdir(parents=True, exist_ok=True)
    document = campaign.model_dump(mode="json", by_alias=True, exclude_unset=True)
    (folder / f"{dag_id}.json").write_text(json.dumps(document))
    os.environ[CONFIG] = str(folder)


def _scale(catalogue: str, files: int, folder: Path) -> None:
    """Let the services find a catalogue with more files."""
    try:
        scale_catalogue(catalogue, files, folder)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--files") from None
    os.environ[DATASETS] = str(folder)


@click.command()
@click.option(
    "--state", type=click.Path(path_type=Path), default=STATE, help="Folder of the services' state."
)
@click.option("--files", type=int, metavar="N", help="Number of all files: more than the catalogue has.")
@click.option("--figures", type=click.Path(path_type=Path), help="File for what it took, as JSON.")
@options.with_conf
def rehearsal(
    state: Path, files: int | None, figures: Path | None, dag_id: str, conf: dict[str, Any]
) -> None:
    """Run a campaign on simulated nodes, whose pods compute nothing."""
    began = time.monotonic()
    campaign = rehearse(load_campaign(campaign_file(dag_id)))
    if files:
        _scale(campaign.catalogue, files, state.absolute() / "datasets")
    apply_conf(campaign, conf)
    stand_ins(state, campaign).save(state)
    _write(campaign, dag_id, state.absolute())
    supervision = Supervision(Settings.load(state))
    components = Components(supervision)
    with view_for(Console(highlight=False)) as view:
        try:
            with supervision.in_use(), components.watched():
                bring_up(supervision, campaign, view.say, with_data=False)
                up = time.monotonic()
                _run(supervision, dag_id, conf, view)
            ended = time.monotonic()
            view.print(
                components.table(),
                f"\nServices up after {up - began:.0f} s; the campaign took {ended - up:.0f} s, "
                f"all of it {clock(ended - began)} min.",
            )
            if figures:
                took = {name: asdict(usage) for name, usage in components.usage.items()}
                figures.write_text(json.dumps({"seconds": ended - up, "components": took}))
        finally:
            supervision.stop()
            shutil.rmtree(supervision.settings.localkube_state, ignore_errors=True)


def _run(supervision: Supervision, dag_id: str, conf: dict[str, Any], view: View) -> None:
    """Run the campaign, which must leave every result: only the project itself can fail here."""
    run = run_campaign(supervision, dag_id, conf, view)
    if run.submits:
        shards = run.summary.shards
        if shards.done < shards.expected:
            missing = shards.expected - shards.done
            raise CampaignRunError(f"{missing} of {shards.expected} shards have no result")
        view.print(f"{shards.done} of {shards.expected} results, each counted once", "")


if __name__ == "__main__":
    sys.exit(main())

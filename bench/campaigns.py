"""Run campaigns in one Airflow: one alone against ten at once, of fifty that it knows.

A real Airflow, as `make demo` starts it, knows fifty campaigns of twenty clusters, or as many as the options
say. Each cluster is made, gets one file of the catalogue and is deleted; its nodes and pods are simulated, so
that Airflow has the machine nearly for itself. Every run must succeed with all of its shards counted once.

Seconds are those from the first trigger to the last run's end. The time of a scheduler's loop is what its
log tells. Memory is the peak so far, in parts where processes share a page; CPU time is that of a component's
processes, of which `workers` are all tasks.
"""

import argparse
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench.measure import BenchError
from bench.report import Report, Say, megabytes, number, table
from bench.services import PatientAirflow, until
from demo.lifecycle import bring_up
from demo.settings import USER, Settings
from demo.supervision import Supervision
from higgsdemo.campaign import parse_campaign
from higgsdemo.campaign.load import CONFIG
from higgsdemo.catalogue import load_catalogue
from higgsdemo.command_line.airflow_api import FINISHED
from higgsdemo.publication.summary import Summary
from higgsdemo.run_folder import SUMMARY
from rehearsal.__main__ import stand_ins
from rehearsal.components import Components

CATALOGUE = "cms-higgs"
PATIENCE = 1800.0  # s for all runs of a column
LOGGING = "[logging]\nnamespace_levels = airflow.jobs.scheduler_job_runner=DEBUG\n"
LOOP = re.compile(r"^(\S+) .*Ran scheduling loop in ([\d.]+) ms", re.MULTILINE)
COMPONENTS = ("scheduler", "workers", "dag-processor", "triggerer", "api-server", "localkube")
Run = tuple[str, str]
"""DAG and run id."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument("--campaigns", type=int, default=50, help="that Airflow knows (default 50)")
    parser.add_argument("--clusters", type=int, default=20, help="of each campaign (default 20)")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 10], help="that run (default 1 10)")
    parser.add_argument("--seconds", type=float, default=20.0, help="that a pod runs (default 20)")


def run(options: argparse.Namespace, say: Say) -> Report:
    """Run each number of campaigns at once."""
    if sum(options.at_once) > options.campaigns:
        raise BenchError(f"{options.campaigns} campaigns are too few: each runs once")
    dags = {f"campaign-{number}": _campaign(number, options.clusters) for number in range(options.campaigns)}
    columns: list[dict[str, str]] = []
    say("Starting Airflow, an S3 server and localkube ...")
    with _airflow(options.folder, dags, options.seconds) as (session, settings, components):
        for dag in dags:
            until(partial(session.has_dag, dag), f"Airflow finds the DAG {dag}")
        parsed, unused = session.parse_seconds(next(iter(dags))), iter(dags)
        for at_once in options.at_once:
            say(f"{at_once} of {len(dags)} campaigns run, on {options.clusters} clusters each ...")
            runs = [(dag, "run") for dag in islice(unused, at_once)]
            before = {name: usage.seconds for name, usage in components.usage.items()}
            began = datetime.now(UTC)
            column = _carried_out(session, runs, options.clusters)
            columns.append(column | _loops(settings.logs, began) | _used(components, before))
    found = table("Campaigns at once", *map(str, options.at_once))
    for row in columns[0]:
        found.add_row(row, *(column[row] for column in columns))
    return Report(
        __doc__.partition("\n")[2],
        found,
        (
            f"{len(dags)} campaigns of {options.clusters} clusters, parsed in {number(parsed)} s; "
            f"a pod runs for {options.seconds:g} s.",
            f"All shards of {sum(options.at_once)} runs were counted once.",
        ),
    )


def _campaign(number: int, clusters: int) -> dict[str, Any]:
    """Return a campaign with one file of a dataset on each cluster."""
    datasets = list(load_catalogue(CATALOGUE).datasets)
    return {
        "catalogue": CATALOGUE,
        "workload": "nanoaod",
        "storage": {"input": "s3://higgs-demo", "output": "s3://higgs-results", "connection": "higgs_s3"},
        "cleanup": "clusters",
        "defaults": {"provider": "local", "flavor": "local-1", "max_shards": 1},
        "mapping": [
            {"name": f"campaign-{number}-{cluster}", "datasets": [datasets[cluster]]}
            for cluster in range(clusters)
        ],
    }


@contextmanager
def _airflow(
    folder: Path, dags: dict[str, dict[str, Any]], seconds: float
) -> Iterator[tuple[PatientAirflow, Settings, Components]]:
    """Run the services of `make demo` with these campaigns alone, on simulated nodes."""
    config, state = folder / "config", folder / "state"
    config.mkdir()
    for dag, document in dags.items():
        (config / f"{dag}.json").write_text(json.dumps(document))
    os.environ[CONFIG] = str(config)
    campaign = parse_campaign(next(iter(dags.values())), "the bench's campaign")
    settings = Settings.load(state)
    (settings.airflow_home / "airflow.cfg").write_text(LOGGING)
    simulated = {"simulate": {"seconds": seconds}}
    stand_ins(state, campaign).model_copy(update=simulated).save(state)
    supervision = Supervision(Settings.load(state))
    components = Components(supervision)
    try:
        with components.watched():
            bring_up(supervision, campaign, lambda _: None, with_data=False)
            settings = supervision.settings
            session = PatientAirflow(settings.ui_url, USER, settings.secrets.ui_password)
            with closing(session):
                yield session, settings, components
    finally:
        supervision.stop()


def _carried_out(session: PatientAirflow, runs: list[Run], clusters: int) -> dict[str, str]:
    """Carry out runs at once, and return what they took."""
    began = time.monotonic()
    for dag, run_id in runs:
        session.trigger(dag, run_id, {"run_name": run_id})
    going = list(runs)
    while going := [one for one in going if session.run_state(*one) not in FINISHED]:
        if time.monotonic() - began > PATIENCE:
            raise BenchError(f"after {PATIENCE:.0f} s {len(going)} runs go on")
        time.sleep(1.0)
    seconds = time.monotonic() - began
    for dag, run_id in runs:
        if (state := session.run_state(dag, run_id)) != "success":
            raise BenchError(f"{run_id} of {dag} is {state}")
        shards = Summary.model_validate_json(session.file(dag, run_id, SUMMARY)).shards
        if (shards.done, shards.expected) != (clusters, clusters):
            raise BenchError(f"{run_id} of {dag} has {shards.done} of {clusters} shards")
    tasks = sum(len(session.tasks(*one)) for one in runs)
    return {
        "seconds": number(seconds),
        "task instances": f"{tasks:,}",
        "task instances a second": number(tasks / seconds),
        "deferrals": f"{sum(session.events(*one, 'deferred') for one in runs):,}",
    }


def _loops(logs: Path, since: datetime) -> dict[str, str]:
    """Return how long the scheduler's loop has taken since a time, according to its log."""
    log = "".join(part.read_text(errors="replace") for part in logs.glob("scheduler.log*"))
    loops = [float(took) for when, took in LOOP.findall(log) if datetime.fromisoformat(when) >= since]
    return {
        "loops of the scheduler": f"{len(loops):,}",
        "of these half at most, ms": number(median(loops)),
        "95% at most, ms": number(quantiles(loops, n=20)[-1]),
        "all at most, ms": number(max(loops)),
    }


def _used(components: Components, before: dict[str, float]) -> dict[str, str]:
    """Return what the components used, without their CPU time before."""
    usage = {name: components.usage[name] for name in COMPONENTS}
    peaks = {f"peak of {name}, MB": megabytes(used.peak) for name, used in usage.items()}
    return peaks | {
        f"CPU of {name}, s": number(used.seconds - before.get(name, 0.0)) for name, used in usage.items()
    }

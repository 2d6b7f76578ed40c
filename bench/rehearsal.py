"""Rehearse a campaign of a million files, through the whole DAG, beside one of 26,920.

`make rehearsal` with so many files: 70 TB on ten clusters of 22 simulated nodes with 16 cores, through a real
Airflow on this machine. The pods compute nothing, and a pod writes the results of all its shards by one
request; everything else is as in a real campaign, and every result is read, checked and counted once.
`shards_per_pod` is `auto`. Memory is the proportional set size, so that pages which processes share count
once; `workers` are all at the same time.
"""

import argparse
import json
import os
import subprocess
import sys
from typing import Any

from bench.curves import Curve, Panel
from bench.measure import BenchError
from bench.report import Report, Say, megabytes, number, ratio, table
from bench.surroundings import REPOSITORY

FILES = (26_920, 100_000, 1_000_000)
OURS = ("scheduler", "workers", "dag-processor", "triggerer", "api-server")
STAND_INS = ("s3", "localkube")
"""What plays the cloud, and is not part of a campaign elsewhere."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument("--files", type=int, nargs="+", default=FILES, help="numbers of files")
    parser.add_argument("--conf", default="{}", help="conf of the runs, as JSON")


def run(options: argparse.Namespace, say: Say) -> Report:
    """Rehearse each number of files in turn."""
    took = {}
    for files in options.files:
        say(f"Rehearsing {files:,} files ...")
        figures = options.folder / f"{files}.json"
        made = ("--files", str(files), "--figures", str(figures), "--state", str(options.folder / str(files)))
        command = [
            sys.executable,
            "-m",
            "rehearsal",
            "--campaign",
            "higgs-full",
            "--conf",
            options.conf,
            *made,
        ]
        if subprocess.run(command, cwd=REPOSITORY, env=dict(os.environ), check=False).returncode:
            raise BenchError(f"the rehearsal of {files:,} files has failed")
        took[files] = json.loads(figures.read_text())
    return report(took)


def report(took: dict[int, dict[str, Any]]) -> Report:
    """Return what rehearsals took, by their number of files, as `--figures` has it."""
    columns = [f"{files:,}: {what}" for files in took for what in ("peak MB", "CPU s")]
    found = table("Component", *columns, "memory")
    first, *_, last = took.values()
    for name in (*OURS, *STAND_INS):
        used = [one["components"][name] for one in took.values()]
        cells = [cell for one in used for cell in (megabytes(one["peak"]), number(one["seconds"]))]
        found.add_row(name, *cells, ratio(used[0]["peak"], used[-1]["peak"]))
    most = max(OURS, key=lambda name: last["components"][name]["peak"] / first["components"][name]["peak"])
    seconds = ", ".join(f"{files:,} in {number(one['seconds'])} s" for files, one in took.items())
    findings = (
        f"Every result counted once: {seconds}.",
        f"The memory that grows most is that of the {most}.",
    )
    return Report(__doc__.partition("\n")[2], found, findings, panels=_panels(took))


def _panels(took: dict[int, dict[str, Any]]) -> tuple[Panel, ...]:
    """Draw memory, and the whole time, against the number of files."""
    memory = [
        Curve(name, list(took), [one["components"][name]["peak"] / 1e6 for one in took.values()])
        for name in OURS
    ]
    seconds = [one["seconds"] for one in took.values()]
    used = [sum(one["components"][name]["seconds"] for name in OURS) for one in took.values()]
    time = [Curve("campaign", list(took), seconds), Curve("CPU of Airflow", list(took), used)]
    return (
        Panel("memory", "files", "at most [MB]", memory),
        Panel("time", "files", "[s]", time),
    )

"""Analyse events: this project against a plain loop, coffea and ROOT, and against reading alone.

Each way reads a reduced-NanoAOD file of simulated Higgs events, which have more leptons than any other,
selects four-lepton events and counts them by channel, on one core. The best of several repeats counts;
imports and the compilation of ROOT's C++ are left out. All must select the same numbers. coffea and ROOT run
in the environment that `make bench-analysis` makes, and are left out where they cannot be installed.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from bench.measure import BenchError
from bench.report import Report, Say, megabytes, number, table
from bench.surroundings import REPOSITORY
from generator.catalogue import demo_datasets
from generator.events import simulate
from generator.root_file import root_file

EVENTS = 200_000
SEED = 125
PHYSICS = REPOSITORY / ".venv" / "physics" / "bin" / "python"


class Way(NamedTuple):
    """A way of `bench.selections`: its name for people, its module, and the Python that has its packages."""

    name: str
    module: str
    python: Path = Path(sys.executable)


READING = Way("reading alone", "reading")
WAYS = (
    READING,
    Way("this project", "project"),
    Way("coffea's NanoEvents", "nanoevents", PHYSICS),
    Way("ROOT's RDataFrame", "rdataframe", PHYSICS),
    Way("a loop in Python", "loop"),
)


class Outcome(NamedTuple):
    """The best CPU seconds, the peak memory in bytes and the selected events by channel."""

    seconds: float
    memory: int
    selected: dict[str, int] | None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument("--events", type=int, default=EVENTS, help=f"events in the file (default {EVENTS})")
    parser.add_argument("--repeats", type=int, default=5, help="of which the best counts (default 5)")


def run(options: argparse.Namespace, say: Say) -> Report:
    """Run every available way over one file."""
    path = options.folder / "events.root"
    dataset = next(one for one in demo_datasets() if one.group == "higgs")
    leptons = simulate(dataset, 0, options.events, SEED)
    path.write_bytes(root_file(leptons, options.events, run=1, first_event=1))
    outcomes = {}
    for way in WAYS:
        if way.python.exists():
            say(f"{options.events:,} events: {way.name} ...")
            outcomes[way.name] = _outcome(way, path, options.repeats)
    selected = [outcome.selected for outcome in outcomes.values() if outcome.selected is not None]
    if any(other != selected[0] for other in selected):
        raise BenchError(f"the ways differ in what they select: {outcomes}")
    found = table("Analysis", "CPU s", "events/s", "of reading", "peak MB")
    reading = outcomes[READING.name].seconds
    for name, (seconds, memory, _) in outcomes.items():
        rate = f"{options.events / seconds:,.0f}"
        found.add_row(name, number(seconds), rate, f"{number(seconds / reading)} ×", megabytes(memory))
    each = ", ".join(f"{count:,} {channel}" for channel, count in selected[0].items())
    missing = ", ".join(way.name for way in WAYS if way.name not in outcomes)
    findings = (
        f"Selected by every way: {each}.",
        *([f"Not installed: {missing}."] if missing else []),
    )
    return Report(__doc__.partition("\n")[2], found, findings, packages=("uproot", "awkward", "numpy"))


def _outcome(way: Way, path: Path, repeats: int) -> Outcome:
    done = subprocess.run(
        [str(way.python), "-W", "ignore", "-m", "bench.selections", way.module, str(path), str(repeats)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": f"include{os.pathsep}."},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"{way.name} has failed:\n{done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    return Outcome(min(found["seconds"]), found["memory"], found["selected"])

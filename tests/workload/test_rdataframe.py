"""The selection against an independent one in ROOT (`rdataframe_selection`), histogram for histogram.

100,000 simulated events of each group, or as many as EVENTS_A_GROUP says (`make test-physics`: a million),
and the real collision events; with both rule sets. Not one count may differ.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clustered_file import write_data
from collision_events import DIRECTORY, mass_histogram, requires_collision_events, write_nanoaod
from collision_events import read_events as read_collisions
from generator.catalogue import demo_datasets
from generator.events import simulate
from generator.root_file import root_file
from workload import outreach, selection
from workload.certified import Certified
from workload.events import Leptons, Wanted, read_events
from workload.histogram import histogram
from workload.quartets import CHANNELS, Candidates

pytestmark = pytest.mark.skipif(
    not find_spec("ROOT"), reason="ROOT is not installed: `make root` does (250 MB)"
)

EVENTS = int(os.environ.get("EVENTS_A_GROUP", "100000"))
FILES = 10
"""Files of a group, shared out over its datasets: several channels, years and triggers."""

SEED = 2019
GROUPS = ("data", "higgs", "zz", "dy", "ttbar")

Sections = dict[int, list[list[int]]]
Rules = Callable[[Leptons, Leptons], dict[str, Candidates]]
RULES: dict[str, Rules] = {"level4": selection.select, "outreach": outreach.select}


def simulated(group: str, directory: Path) -> list[Path]:
    """Files of simulated events of a group: the demo's processes, with other random numbers."""
    datasets = [dataset for dataset in demo_datasets() if dataset.group == group]
    paths = []
    for number in range(FILES):
        dataset = datasets[number % len(datasets)]
        path = directory / f"{group}_{number}.root"
        n = EVENTS // FILES
        leptons = simulate(dataset, number // len(datasets), n, SEED)
        path.write_bytes(root_file(leptons, n, run=dataset.year, first_event=number * n + 1))
        paths.append(path)
    return paths


def with_root(files: dict[str, list[Path]], certified: dict[str, Sections]) -> Any:
    program = Path(__file__).parents[1] / "support" / "rdataframe_selection.py"
    asked = json.dumps(
        {
            name: {"files": [str(path) for path in paths], "certified": certified.get(name)}
            for name, paths in files.items()
        }
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(program)],
        input=asked,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def with_ours(paths: list[Path], certified: Sections | None) -> Any:
    counts = {rules: {channel: np.zeros(37, np.int64) for channel in CHANNELS} for rules in RULES}
    events = 0
    for path in paths:
        wanted = Wanted(certified=Certified(certified) if certified else None)
        for some in read_events(path, path.name, wanted=wanted):
            events += len(some.muons.counts)
            for rules, select in RULES.items():
                for channel, candidates in select(some.muons, some.electrons).items():
                    counts[rules][channel] += histogram(candidates.mass)
    return {
        "events": events,
        **{rules: {channel: n.tolist() for channel, n in made.items()} for rules, made in counts.items()},
    }


@dataclass(frozen=True)
class Compared:
    """By name of a set of files, what the two make of it."""

    ours: dict[str, Any]
    root: dict[str, Any]


@pytest.fixture(scope="module")
def compared() -> Iterator[Compared]:
    """All sets in one process of ROOT, which compiles the rules once: most of the time is that."""
    with tempfile.TemporaryDirectory() as folder:
        files = {group: simulated(group, Path(folder)) for group in GROUPS}
        files["certified"] = [Path(folder) / "certified.root"]
        write_data(files["higgs"][0], files["certified"][0], runs=3, sections=20)
        certified: dict[str, Sections] = {"certified": {1: [[2, 7], [8, 8], [19, 19]], 3: [[1, 4], [6, 20]]}}
        if DIRECTORY.is_dir():
            files |= {channel: write_nanoaod(channel, Path(folder)) for channel in CHANNELS}
            files["certified collisions"] = files["4mu"]
            certified["certified collisions"] = in_half_of_the_sections("4mu")
        ours = {name: with_ours(paths, certified.get(name)) for name, paths in files.items()}
        yield Compared(ours, with_root(files, certified))


def in_half_of_the_sections(channel: str) -> Sections:
    """Every second of the luminosity sections that collision events are in."""
    events = read_collisions(channel)
    places = sorted(
        {
            (int(run), int(event) // 1_000_000 + 1)
            for run, event in zip(events["Run"], events["Event"], strict=True)
        }
    )
    sections: Sections = {}
    for run, section in places[::2]:
        sections.setdefault(run, []).append([section, section])
    return sections


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("group", GROUPS)
def test_simulated_events_give_the_same_histograms(group: str, compared: Compared) -> None:
    ours = compared.ours[group]
    assert ours == compared.root[group]
    assert ours["events"] == EVENTS
    for rules in RULES:
        selected = {channel: sum(ours[rules][channel]) for channel in CHANNELS}
        print(f"{group}, {EVENTS} events, {rules}: {selected} selected by both")
        least = {"data": 0, "higgs": EVENTS // 100, "zz": EVENTS // 100}.get(group, EVENTS // 10_000)
        assert all(n >= least for n in selected.values())


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("name", "of"),
    [("certified", "higgs"), pytest.param("certified collisions", "4mu", marks=requires_collision_events)],
)
def test_certified_events_are_the_same(name: str, of: str, compared: Compared) -> None:
    ours, whole = compared.ours[name], compared.ours[of]
    assert ours == compared.root[name]
    assert 0 < ours["events"] < whole["events"]
    print(f"{name}: {ours['events']} of {whole['events']}")
    assert sum(ours["level4"]["4mu"]) > 0


@requires_collision_events
@pytest.mark.parametrize("channel", CHANNELS)
def test_real_collisions_give_the_same_histograms(channel: str, compared: Compared) -> None:
    ours = compared.ours[channel]
    assert ours == compared.root[channel]
    assert ours["level4"][channel] == mass_histogram(channel)
    selected = sum(ours["outreach"][channel])
    print(f"{ours['events']} collisions: {selected} of {channel} selected by both, outreach")
    assert selected > 0

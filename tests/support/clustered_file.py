"""A file of many clusters, as large files are: what it is cut into shards at."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from generator.catalogue import demo_datasets
from generator.detector import Reconstructed
from generator.events import simulate
from generator.root_file import COMPRESSION, write_events

CLUSTERS, CLUSTER_EVENTS = 40, 1000
EVENTS = CLUSTERS * CLUSTER_EVENTS


def write_clustered(path: Path, clusters: int, cluster_events: int, process: str = "higgs") -> None:
    """Write simulated events of a process, a cluster at a time, so that it takes little memory."""
    dataset = next(dataset for dataset in demo_datasets() if dataset.group == process)

    def simulated() -> Iterator[tuple[Reconstructed, int]]:
        for number in range(clusters):
            yield simulate(dataset, number, cluster_events, seed=1), cluster_events

    with uproot.recreate(path, compression=COMPRESSION) as file:
        write_events(file, simulated(), run=1, first_event=1)


def write_data(source: Path, path: Path, runs: int, sections: int) -> None:
    """Write the events of a file again, in random ones of so many runs and luminosity sections from 1."""
    random = np.random.default_rng(1)
    with uproot.open(source) as old, uproot.recreate(path, compression=COMPRESSION) as new:
        events = old["Events"].arrays()
        content: dict[str, Any] = {
            name: ak.zip(
                {
                    field.removeprefix(f"{name}_"): events[field]
                    for field in old["Events"].keys(filter_name=f"{name}_*")
                }
            )
            for name in ("Muon", "Electron")
        }
        content["run"] = random.integers(1, runs + 1, len(events)).astype(np.uint32)
        content["luminosityBlock"] = random.integers(1, sections + 1, len(events)).astype(np.uint32)
        new.mktree("Events", {name: ak.Array(values).type.content for name, values in content.items()})
        new["Events"].extend(content)


@pytest.fixture(scope="session")
def clustered_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40,000 events in 40 clusters."""
    path = tmp_path_factory.mktemp("clustered") / "clustered.root"
    write_clustered(path, CLUSTERS, CLUSTER_EVENTS)
    return path

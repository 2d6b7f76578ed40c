"""A file of simulated events, for the tests of what reads it."""

from pathlib import Path

import pytest

from generator.catalogue import demo_datasets
from generator.events import simulate
from generator.root_file import root_file


@pytest.fixture(scope="session")
def shard_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500 simulated events, about a third of which are selected."""
    higgs = next(dataset for dataset in demo_datasets() if dataset.group == "higgs")
    path = tmp_path_factory.mktemp("shards") / "higgs_000.root"
    path.write_bytes(root_file(simulate(higgs, 0, 500, seed=1), 500, run=1, first_event=1))
    return path

"""Write the demo's files, in parallel and only where they are missing.

A marker beside the files says which generator, seed and scale made them. Starting the demo again costs one
listing, and a changed generator replaces an older one's files.
"""

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import repeat
from multiprocessing import get_context

from generator import VERSION
from generator.catalogue import Dataset, demo_datasets
from generator.events import simulate
from generator.output import MARKER, Output
from generator.root_file import TITLE, root_file

MIN_SCALE = 0.01
"""Below it a file of pseudo-data would be too short for its published events."""


@dataclass(frozen=True)
class Recipe:
    """What determines the files: a factor on the events of each file, and the seed."""

    scale: float = 1.0
    seed: int = 125

    def events(self, dataset: Dataset) -> int:
        """Return the number of events in each file of a dataset."""
        return round(dataset.events_per_file * self.scale)


@dataclass(frozen=True)
class Outcome:
    """How many files the demo has, how many were written now, and their bytes."""

    files: int
    written: int
    size: int


def write_demo(
    output: Output, recipe: Recipe, workers: int = 1, datasets: Iterable[Dataset] = demo_datasets()
) -> Outcome:
    """Write datasets of the demo in `workers` processes, skipping files that exist.

    :raises workload.errors.WorkloadError: when storage fails.
    """
    files = [(dataset, file) for dataset in datasets for file in range(dataset.files)]
    marker = {"version": VERSION, **asdict(recipe), "note": TITLE}
    missing, size = files, 0
    if output.marker() == marker:
        present = output.keys()
        missing = [(dataset, file) for dataset, file in files if file_key(dataset, file) not in present]
    else:
        output.remove_marker()
    if missing:
        size = sum(_write_all(output, recipe, missing, workers))
        output.write(MARKER, json.dumps(marker).encode())  # now that the files it describes are complete
    return Outcome(len(files), len(missing), size)


def write_dataset(output: Output, dataset: Dataset, recipe: Recipe) -> list[str]:
    """Write one dataset of the demo, and return the URLs of its files."""
    keys = [file_key(dataset, file) for file in range(dataset.files)]
    for file in range(dataset.files):
        write_file(output, recipe, (dataset, file))
    return [f"{output.url}/{key}" for key in keys]


def write_file(output: Output, recipe: Recipe, place: tuple[Dataset, int]) -> int:
    """Write one file of a dataset of the demo, and return its bytes."""
    dataset, file = place
    n = recipe.events(dataset)
    leptons = simulate(dataset, file, n, recipe.seed)
    content = root_file(leptons, n, run=dataset.year, first_event=file * n + 1)
    output.write(file_key(dataset, file), content)
    return len(content)


def file_key(dataset: Dataset, file: int) -> str:
    """Return the key of one file of a dataset."""
    return f"{dataset.prefix}/{dataset.name}_{file:03d}.root"


def _write_all(
    output: Output, recipe: Recipe, places: list[tuple[Dataset, int]], workers: int
) -> Iterator[int]:
    arguments = (repeat(output), repeat(recipe), places)
    if workers == 1:
        yield from map(write_file, *arguments)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(write_file, *arguments, chunksize=4)

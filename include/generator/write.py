"""Write the demo's files to a bucket or a directory, in parallel and only where they are missing.

A marker object beside the files says which generator, seed and scale made them, so that starting the demo
again costs a listing, and a changed generator replaces what an older one left.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context
from typing import Any

import obstore

from generator import VERSION
from generator.catalogue import Dataset, demo_datasets
from generator.events import simulate
from generator.root_file import root_file
from workload.storage import locate, put

MARKER = "demo/generator.json"
"""The marker's key below the output."""

SEED = 125


@dataclass(frozen=True)
class Outcome:
    """How many files the demo has, how many of them were written now, and their bytes."""

    files: int
    written: int
    size: int


def write_demo(output: str, scale: float = 1.0, seed: int = SEED, workers: int = 2) -> Outcome:
    """Write all datasets of the demo below the URL `output`, skipping files that are there already.

    `scale` multiplies the events of each file. Raises `workload.errors.WorkloadError` when storage fails.
    """
    datasets = demo_datasets()
    keys = {file_key(d, i): (d, i) for d in datasets for i in range(d.files)}
    marker = {"version": VERSION, "seed": seed, "scale": scale, "note": "Simulated data, not CMS collisions"}
    present = _present(output) if _read_marker(output) == marker else set()
    missing = [place for key, place in keys.items() if key not in present]
    size = 0
    if missing:
        size = sum(_write_all(output, datasets, missing, scale, seed, workers))
        put(f"{output}/{MARKER}", json.dumps(marker).encode())
    return Outcome(len(keys), len(missing), size)


def write_dataset(output: str, dataset: Dataset, scale: float = 1.0, seed: int = SEED) -> list[str]:
    """Write one dataset below the URL `output`; returns the URLs of its files."""
    datasets = demo_datasets()
    for file in range(dataset.files):
        _write(output, datasets, (dataset, file), scale, seed)
    return [f"{output}/{file_key(dataset, file)}" for file in range(dataset.files)]


def file_key(dataset: Dataset, file: int) -> str:
    """The key of one file of a dataset."""
    return f"{dataset.prefix}/{dataset.name}_{file:03d}.root"


def _write_all(
    output: str,
    datasets: list[Dataset],
    places: list[tuple[Dataset, int]],
    scale: float,
    seed: int,
    workers: int,
) -> Iterator[int]:
    arguments = (repeat(output), repeat(datasets), places, repeat(scale), repeat(seed))
    if workers == 1:
        yield from map(_write, *arguments)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_write, *arguments, chunksize=4)


def _write(output: str, datasets: list[Dataset], place: tuple[Dataset, int], scale: float, seed: int) -> int:
    dataset, file = place
    n = max(1, round(dataset.events_per_file * scale))
    leptons = simulate(datasets, dataset, file, n, seed)
    content = root_file(leptons, n, run=dataset.year, first_event=file * n + 1)
    put(f"{output}/{file_key(dataset, file)}", content)
    return len(content)


def _present(output: str) -> set[str]:
    store, prefix = locate(f"{output}/demo")
    base = prefix.removesuffix("demo")
    return {item["path"].removeprefix(base) for page in obstore.list(store, prefix) for item in page}


def _read_marker(output: str) -> Any:
    store, key = locate(f"{output}/{MARKER}")
    try:
        return json.loads(bytes(obstore.get(store, key).bytes()))
    except (FileNotFoundError, ValueError):
        return None

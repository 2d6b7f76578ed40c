"""Write the demo's files into a folder, in parallel and only where they are missing.

A marker beside the files says which version of the generator made them. Starting the demo again costs a look
into the folder, and a changed generator replaces an older one's files.
"""

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

from generator import VERSION
from generator.catalogue import Dataset, demo_datasets
from generator.events import simulate
from generator.root_file import TITLE, root_file

SEED = 125
MARKER = "demo/generator.json"


def write_demo(folder: Path, workers: int = 1, datasets: Iterable[Dataset] = demo_datasets()) -> int:
    """Write datasets in `workers` processes; return the number of files that were missing; raise OSError."""
    marker, made_by = json.dumps({"version": VERSION, "note": TITLE}), folder / MARKER
    missing = [(dataset, file) for dataset in datasets for file in range(dataset.files)]
    if made_by.exists() and made_by.read_text() == marker:
        missing = [place for place in missing if not (folder / file_key(*place)).exists()]
    else:
        made_by.unlink(missing_ok=True)
    if missing:
        list(_write_all(folder, missing, workers))
        made_by.write_text(marker)  # now that the files it describes are complete
    return len(missing)


def write_file(folder: Path, place: tuple[Dataset, int]) -> None:
    """Write one file of a dataset of the demo."""
    dataset, file = place
    n = dataset.events_per_file
    leptons = simulate(dataset, file, n, SEED)
    path = folder / file_key(dataset, file)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_bytes(root_file(leptons, n, run=_run(dataset), first_event=file * n + 1))
    draft.replace(path)


def _run(dataset: Dataset) -> int:
    """Return the number of its run, such as 201203: no two datasets share one, and so no event."""
    return 100 * dataset.year + [one.name for one in demo_datasets()].index(dataset.name)


def file_key(dataset: Dataset, file: int) -> str:
    """Return the path of one file of a dataset in the folder, and its key in a bucket."""
    return f"{dataset.prefix}/{dataset.name}_{file:03d}.root"


def _write_all(folder: Path, places: list[tuple[Dataset, int]], workers: int) -> Iterator[None]:
    if workers == 1:
        yield from map(write_file, repeat(folder), places)
        return
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])  # imported once, and not by each of them
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(write_file, repeat(folder), places, chunksize=4)

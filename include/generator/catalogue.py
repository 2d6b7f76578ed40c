"""The part of the demo's catalogue that the generator needs.

It generates what `include/datasets/demo` lists, so the campaign and its input cannot disagree.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DEMO = Path(__file__).resolve().parents[1] / "datasets" / "demo"  # the catalogue's directory

DATA_EVENTS_PER_FILE = 6000


@dataclass(frozen=True)
class Dataset:
    """One dataset to write: `files` objects of `events_per_file` events below `prefix`.

    `group` is "data", "higgs", "zz", "dy" or "ttbar"; `channels` are the final states of its events.
    """

    name: str
    prefix: str
    files: int
    events_per_file: int
    group: str
    channels: tuple[str, ...]
    year: int


@cache
def demo_datasets() -> tuple[Dataset, ...]:
    """Return all datasets of the demo, in the catalogue's order."""
    with (DEMO / "samples.csv").open(newline="", encoding="utf-8") as file:
        samples = {row["sample"]: row for row in csv.DictReader(file)}
    with (DEMO / "datasets.csv").open(newline="", encoding="utf-8") as file:
        return tuple(_dataset(row, samples[row["sample"]]) for row in csv.DictReader(file))


def _dataset(row: dict[str, str], sample: dict[str, str]) -> Dataset:
    generated, files = sample["generated_events"], int(sample["files"])
    return Dataset(
        name=row["dataset"],
        prefix=row["prefix"],
        files=int(row["files"]),
        events_per_file=int(generated) // files if generated else DATA_EVENTS_PER_FILE,
        group=row["group"],
        channels=tuple(sample["channels"].split("|")),
        year=int(row["year"]),
    )

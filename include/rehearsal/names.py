"""The files that a rehearsal pretends to have, as many as the catalogue says; and catalogues with more."""

import csv
import shutil
import uuid
from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import accumulate, pairwise
from pathlib import Path

from higgsdemo.catalogue import Catalogue, load_catalogue
from higgsdemo.catalogue.files import DATASETS_DIR

ALL_BYTES = 70e12


def scale_catalogue(name: str, files: int, root: Path) -> None:
    """Write a catalogue with so many files to `root`, of which each dataset has the same part as before.

    :raises ValueError: when these are fewer than before, which would leave a dataset without a file.
    """
    known = load_catalogue(name).datasets.values()
    before = [0, *accumulate(dataset.files for dataset in known)]
    if files < before[-1]:
        raise ValueError(f"{name} has {before[-1]:,} files: for fewer, set max_shards")
    ends = [end * files // before[-1] for end in before]
    of_sample = dict.fromkeys((dataset.sample.name for dataset in known), 0)
    of_dataset = {
        dataset.name: end - start for dataset, (start, end) in zip(known, pairwise(ends), strict=True)
    }
    for dataset in known:
        of_sample[dataset.sample.name] += of_dataset[dataset.name]
    shutil.copytree(DATASETS_DIR / name, root / name, dirs_exist_ok=True)
    _set_files(root / name / "datasets.csv", of_dataset)
    _set_files(root / name / "samples.csv", of_sample)


def file_name(prefix: str, number: int) -> str:
    """Return the name of file `number` below a prefix, without its ending; CMS uses UUIDs in capitals."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{prefix}/{number}")).upper()


def files(catalogue: Catalogue) -> Iterator[tuple[str, int]]:
    """Yield key and size of the files: between 0.5 and 1.5 times their mean, the same each time."""
    mean = ALL_BYTES / sum(dataset.files for dataset in catalogue.datasets.values())
    for dataset in catalogue.datasets.values():
        for number in range(dataset.files):
            name = file_name(dataset.prefix, number)
            part = int.from_bytes(sha256(name.encode()).digest()[:4], "big") / 2**32
            yield f"{dataset.prefix}/{name}.root", int(mean * (0.5 + part))


def _set_files(path: Path, numbers: Mapping[str, int]) -> None:
    """Change the column `files` of a CSV file, whose first column has the names."""
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    with path.open("w", newline="", encoding="utf-8") as file:
        written = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        written.writeheader()
        written.writerows(line | {"files": numbers[next(iter(line.values()))]} for line in lines)

"""The files that a rehearsal pretends to have: as many as the catalogue says."""

import uuid
from collections.abc import Iterator
from hashlib import sha256

from higgsdemo.catalogue import Catalogue

MEAN_SIZE = 2_600_000_000
"""Bytes: 70 TB in 26,920 files."""


def file_name(prefix: str, number: int) -> str:
    """The name of file `number` below a prefix, without its ending; CMS names files by UUIDs in capitals."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{prefix}/{number}")).upper()


def file_size(name: str) -> int:
    """The size of a file in bytes: between half and one and a half times the mean, the same each time."""
    part = int.from_bytes(sha256(name.encode()).digest()[:4], "big") / 2**32
    return int(MEAN_SIZE * (0.5 + part))


def files(catalogue: Catalogue, times: int = 1) -> Iterator[tuple[str, int]]:
    """Key and size of every file of a catalogue; so many times as many as it says."""
    for dataset in catalogue.datasets.values():
        for number in range(dataset.files * times):
            name = file_name(dataset.prefix, number)
            yield f"{dataset.prefix}/{name}.root", file_size(name)

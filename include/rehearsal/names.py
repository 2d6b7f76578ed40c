"""The files that a rehearsal pretends to have, as many as the catalogue says."""

import uuid
from collections.abc import Iterator
from hashlib import sha256

from higgsdemo.catalogue import Catalogue

MEAN_SIZE = 2_600_000_000  # bytes: 70 TB in 26,920 files


def file_name(prefix: str, number: int) -> str:
    """Return the name of file `number` below a prefix, without its ending; CMS uses UUIDs in capitals."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{prefix}/{number}")).upper()


def file_size(name: str) -> int:
    """Return the size of a file in bytes: between 0.5 and 1.5 times the mean, the same each time."""
    part = int.from_bytes(sha256(name.encode()).digest()[:4], "big") / 2**32
    return int(MEAN_SIZE * (0.5 + part))


def files(catalogue: Catalogue, times: int = 1) -> Iterator[tuple[str, int]]:
    """Yield key and size of `times` as many files as the catalogue lists."""
    for dataset in catalogue.datasets.values():
        for number in range(dataset.files * times):
            name = file_name(dataset.prefix, number)
            yield f"{dataset.prefix}/{name}.root", file_size(name)

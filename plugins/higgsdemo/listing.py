"""Lists datasets side by side, each to a file of its own, so that memory does not grow with the shards.

A listing is a chain of requests, each page naming the next: several datasets are listed at once. Their lists
wait on the worker's disk until they can be put together in the order of the datasets.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from higgsdemo.campaign import parse_index, read_index
from higgsdemo.campaign.model import DatasetRef
from higgsdemo.catalogue import load_catalogue
from higgsdemo.luminosity import Luminosities
from higgsdemo.run import Run
from higgsdemo.shards import ListingError, done_shards, dump, list_shards
from higgsdemo.storage import ObjectStore

AT_ONCE = 8  # datasets
NAMED = 20  # files of a dataset that were passed over


@dataclass(slots=True)
class Listing:
    """What the listing of one dataset has found.

    :param lines: the file with its shards, a JSON line each.
    :param bytes: of all shards of which the size is known.
    :param unsized: shards of which it is not.
    :param done: shards that had their result already when the run was planned to resume.
    :param passed_over: files that are no shards: the first ones by key, with the reason.
    """

    dataset: DatasetRef
    lines: Path
    shards: int = 0
    bytes: int = 0
    unsized: int = 0
    done: int = 0
    passed_over: dict[str, str] = field(default_factory=dict)
    passed_over_count: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """The counts by name."""
        return {"shards": self.shards, "bytes": self.bytes, "done": self.done}


def list_datasets(
    run: Run, datasets: Sequence[DatasetRef], connection: str, output: ObjectStore, folder: Path
) -> list[Listing]:
    """List datasets, in any number.

    :param connection: the Airflow connection that reads them.
    :param output: the run's folder: what a resumed run has done already.
    :param folder: takes the lists.
    :raises ListingError: when an index file is wrong.
    :raises StorageError: when a bucket cannot be listed.
    """
    luminosities = Luminosities(load_catalogue(run.catalogue))
    bucket = ObjectStore(datasets[0].url, connection)
    stores = {dataset.url: bucket.at(dataset.url) for dataset in datasets}

    def listing(dataset: DatasetRef) -> Listing:
        done = done_shards(output, dataset.name) if run.resume else set()
        return _listing(dataset, stores[dataset.url], done, luminosities, folder)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(listing, datasets))


def _listing(
    dataset: DatasetRef, store: ObjectStore, done: set[str], luminosities: Luminosities, folder: Path
) -> Listing:
    listing = Listing(dataset, folder / f"{dataset.name}.jsonl")

    def pass_over(key: str, why: str) -> None:
        listing.passed_over_count += 1
        if len(listing.passed_over) < NAMED:
            listing.passed_over[key] = why

    found = list_shards(dataset.name, _files(dataset, store), dataset.url, pass_over, dataset.max_shards)
    with listing.lines.open("wb") as file:
        for shard in found:
            listing.shards += 1
            listing.bytes += shard.size or 0
            listing.unsized += shard.size is None
            listing.done += shard.name in done
            lumi = luminosities.of(dataset.name, shard.url.removeprefix(dataset.url))
            file.write(dump(replace(shard, done=shard.name in done, lumi=lumi)))
    return listing


def write_shards(output: ObjectStore, key: str, parts: Iterable[Path], folder: Path) -> None:
    """Write the lists of several datasets as one object."""
    whole = folder / "whole.jsonl"
    with whole.open("wb") as file:
        for part in parts:
            with part.open("rb") as lines:
                shutil.copyfileobj(lines, file)
    output.upload(key, whole)
    whole.unlink()


def incomplete(listing: Listing, connection: str) -> str | None:
    """Say in which way a dataset is not all there."""
    dataset, found = listing.dataset, listing.shards
    if not found:
        return (
            f"dataset {dataset.name}: no .root file below {dataset.url}; are the URL and the Airflow "
            f"connection {connection!r} right?"
        )
    if dataset.files is not None and dataset.max_shards is None and found != dataset.files:
        return (
            f"dataset {dataset.name}: {found} files below {dataset.url}, the catalogue says {dataset.files}"
        )
    return None


def _files(dataset: DatasetRef, store: ObjectStore) -> Iterator[tuple[str, int | None]]:
    """Yield keys below the dataset's URL with their sizes: from its index file, or from the bucket."""
    if dataset.index is None:
        for stored in store.list():
            yield stored.key, stored.size
        return
    try:
        if dataset.index.startswith(dataset.url):
            content = store.read(dataset.index.removeprefix(dataset.url))
            urls = parse_index(content, dataset.index)
        else:
            urls = read_index(dataset.index)
    except ValueError as error:
        raise ListingError(f"dataset {dataset.name} {error}") from None
    for url in urls:
        if not url.startswith(dataset.url):
            raise ListingError(
                f"dataset {dataset.name}: {dataset.index} names {url}, which is not below {dataset.url}"
            )
        yield url.removeprefix(dataset.url), None

"""List datasets side by side, each to a file of its own, so that memory does not grow with the shards.

A listing is a chain of requests, each page naming the next, so several datasets are listed at once. Their
lists wait on the worker's disk until they are joined in the order of the datasets.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path

from higgsdemo.campaign import DatasetRef, Placed, parse_index, read_index
from higgsdemo.catalogue import load_catalogue
from higgsdemo.datasets.file_luminosity import Luminosities
from higgsdemo.datasets.records import record_files
from higgsdemo.datasets.shards import (
    PART,
    Corrupt,
    File,
    ListingError,
    Shard,
    cut,
    done_shards,
    dump,
    list_shards,
    shard_name,
)
from higgsdemo.run import Run
from higgsdemo.storage.object_store import ObjectStore, StorageError, StoredObject
from higgsdemo.storage.xrootd import XrootdStore

AT_ONCE = 8  # datasets
FILES_AT_ONCE = 16  # files of a dataset that are read: a few small requests each
Store = ObjectStore | XrootdStore
NAMED = 20  # files of a dataset that are named as skipped


@dataclass(slots=True)
class Listing:
    """What the listing of one dataset has found.

    :param lines: the file with its shards, a JSON line each.
    :param files: that the shards are of.
    :param bytes: of all shards of known size.
    :param unsized: shards of unknown size.
    :param done: shards that had their result when the run was planned to resume.
    :param outdated: names of other results that are corrupt or older than their file: of it, or of parts that
        it was cut into.
    :param passed_over: files that are not shards: the first ones by key, with the reason.
    """

    dataset: DatasetRef
    lines: Path
    files: int = 0
    shards: int = 0
    bytes: int = 0
    unsized: int = 0
    done: int = 0
    outdated: list[str] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)
    passed_over_count: int = 0

    @property
    def counts(self) -> dict[str, int]:
        return {"shards": self.shards, "bytes": self.bytes, "done": self.done}


def list_datasets(
    run: Run, datasets: Sequence[DatasetRef], connection: str, output: ObjectStore | None, folder: Path
) -> list[Listing]:
    """List any number of datasets.

    :param connection: the Airflow connection that reads them.
    :param output: the run's folder, which a resumed run needs: what is done already.
    :param folder: takes the lists.
    :raises ListingError: when an index file is wrong.
    :raises StorageError: when a bucket cannot be listed.
    """
    luminosities = Luminosities(load_catalogue(run.catalogue))
    stores = open_stores(datasets, connection)

    corrupt = Corrupt.of(output) if output and run.resume else None

    def listing(dataset: DatasetRef) -> Listing:
        done = done_shards(output, dataset.name) if output and run.resume else {}
        worthless = corrupt.take_from(done, dataset.name) if corrupt else ()
        found = _listing(run, dataset, stores[dataset.url], done, luminosities, folder)
        found.outdated += sorted(worthless)
        return found

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(listing, datasets))


def read_indexed(dataset: DatasetRef, store: Store) -> Iterator[File]:
    """Yield the files that an index file, which has only names, or a record names; raise ListingError."""
    index = str(dataset.index)
    if dataset.is_record:
        yield from record_files(dataset)
        return
    try:
        if index.startswith(dataset.url):
            urls = parse_index(store.read(index.removeprefix(dataset.url)), index)
        else:
            urls = read_index(index)
    except ValueError as error:
        raise ListingError(f"dataset {dataset.name} {error}") from None
    for url in urls:
        if not url.startswith(dataset.url):
            raise ListingError(
                f"dataset {dataset.name}: {index} names {url}, which is not below {dataset.url}"
            )
        yield File(url.removeprefix(dataset.url))


def open_stores(datasets: Sequence[DatasetRef], connection: str) -> dict[str, Store]:
    """Return the stores of datasets by their URL; each connection is resolved once."""
    if datasets[0].url.startswith("root:"):
        return {dataset.url: XrootdStore(dataset.base) for dataset in datasets}
    first = ObjectStore(datasets[0].base, connection)
    return {dataset.url: first.at(dataset.base) for dataset in datasets}


def _listing(
    run: Run,
    dataset: DatasetRef,
    store: Store,
    done: dict[str, datetime | None],
    luminosities: Luminosities,
    folder: Path,
) -> Listing:
    listing = Listing(dataset, folder / f"{dataset.name}.jsonl")
    of_files = _by_file(done)

    def files() -> Iterator[File]:
        for file in _files(dataset, store):
            for name in of_files.get(shard_name(file.key, dataset.ending), ()) if file.modified else ():
                written = done.get(name)
                if written and file.modified and written < file.modified:
                    listing.outdated.append(name)
                    del done[name]
            yield file

    def pass_over(key: str, why: str) -> None:
        listing.passed_over_count += 1
        if len(listing.passed_over) < NAMED:
            listing.passed_over[key] = why

    def whole_files() -> Iterator[Shard]:
        for shard in list_shards(dataset, files(), pass_over):
            listing.files += 1
            yield shard

    looks_into = run.read == "stream" or run.shard_events
    found = _looked_into(run, dataset, store, whole_files()) if looks_into else whole_files()
    with listing.lines.open("wb") as file:
        for shard in islice(found, dataset.max_shards):
            listing.shards += 1
            listing.bytes += shard.bytes or 0
            listing.unsized += shard.size is None
            listing.done += shard.name in done
            key = "" if dataset.is_file else shard.url.removeprefix(dataset.url)
            lumi = luminosities.of(dataset, key, shard.share)
            file.write(dump(replace(shard, done=shard.name in done, lumi=lumi)))
    return listing


def _by_file(done: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of results by that of the file, whole or cut, that they may belong to."""
    found: dict[str, list[str]] = {}
    for name in done:
        for file in {name, PART.sub("", name)}:
            found.setdefault(file, []).append(name)
    return found


def _looked_into(run: Run, dataset: DatasetRef, store: Store, shards: Iterator[Shard]) -> Iterator[Shard]:
    """Yield shards with the version of their file, and cut if the campaign says so."""

    def look_into(shard: Shard) -> list[Shard]:
        stored = _stored(shard, dataset, store)
        if stored is None:  # the pod says so, and the campaign's tolerance judges it
            return [shard]
        shard = replace(shard, size=stored.size, etag=stored.etag)
        return list(cut(shard, _ranges(store, stored, run.shard_events))) if run.shard_events else [shard]

    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        while batch := list(islice(shards, FILES_AT_ONCE)):
            for parts in pool.map(look_into, batch):
                yield from parts


def _stored(shard: Shard, dataset: DatasetRef, store: Store) -> StoredObject | None:
    key = shard.url.removeprefix(dataset.base)
    return StoredObject(key, shard.size, shard.etag) if shard.size is not None else store.look_up(key)


def first_file(dataset: DatasetRef, store: Store) -> StoredObject | None:
    """Return the first file of a dataset that is a shard; None where there is none."""
    shards = list_shards(dataset, _files(dataset, store), lambda key, why: None)
    first = next(shards, None)
    return _stored(first, dataset, store) if first else None


def refuse_absent(placed: Sequence[Placed]) -> None:
    """Raise ListingError for a record whose first file is not where it is read, if the store can tell."""
    for one in (one for one in placed if one.ref.is_record):
        with suppress(StorageError):
            store = open_stores([one.ref], one.store)[one.ref.url]
            first = first_file(one.ref, store)
            if first and store.look_up(first.key) is None:
                raise ListingError(
                    f"dataset {one.ref.name}: {one.ref.base}{first.key} is not there: the input must have "
                    "the record's files under their paths at CERN, as https://opendata.cern.ch has, or a copy"
                )


def _ranges(store: Store, stored: StoredObject, about: int) -> list[tuple[int, int]]:
    """Return where a file is cut; nowhere when it cannot be read, so that its pod reports it."""
    from higgsdemo.datasets.entry_ranges import entry_boundaries, entry_ranges

    with store.open(stored) as file:
        boundaries = entry_boundaries(file)
    return entry_ranges(boundaries, about) if boundaries else []


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
    """Say how a dataset is incomplete."""
    dataset, found = listing.dataset, listing.files
    if not found:
        asked = f"are the URL and the Airflow connection {connection!r}" if connection else "is the URL"
        where = f"at {dataset.url[:-1]}" if dataset.is_file else f"below {dataset.url}"
        return f"dataset {dataset.name}: no file that matches {dataset.match} {where}; {asked} right?"
    if dataset.files is not None and dataset.max_shards is None and found != dataset.files:
        whose = "record" if dataset.is_record else "catalogue"
        return f"dataset {dataset.name}: {found} files below {dataset.url}, the {whose} says {dataset.files}"
    return None


def _files(dataset: DatasetRef, store: Store) -> Iterator[File]:
    """Yield a dataset's files, as the store or its index says."""
    if dataset.is_file:
        stored = store.look_up(dataset.url[:-1].removeprefix(dataset.base))
        if stored is not None:
            yield File(stored.key, stored.size, stored.etag, stored.modified)
    elif dataset.index is None:
        for stored in store.list():
            yield File(stored.key, stored.size, stored.etag, stored.modified)
    else:
        yield from read_indexed(dataset, store)

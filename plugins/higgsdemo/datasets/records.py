"""Datasets that are records of the CERN Open Data portal: what `plan` says of them, and their files.

A record says which files there are; they lie below the cluster's input, a web server, an XRootD server or a
bucket with a copy, under the paths that they have at CERN.
"""

import posixpath
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from itertools import islice
from typing import NamedTuple

from higgsdemo.campaign import CampaignError, Cluster, DatasetRef, find_repeats, plain_name, source_url
from higgsdemo.catalogue import UNASSIGNED
from higgsdemo.datasets.shards import File, ListingError
from higgsdemo.storage.portal import Record, read_record
from higgsdemo.wording import quote

AT_ONCE = 4  # records: the portal is everybody's
NAMED = 3  # files in a message


class Planned(NamedTuple):
    """The datasets of a campaign, with those that are records as these describe them.

    :param told: what was found, for people.
    :param mean_bytes: of the files of records that a run takes; None where none is of known size.
    """

    clusters: list[Cluster]
    shared: tuple[DatasetRef, ...]
    told: list[str]
    mean_bytes: float | None


class _Found(NamedTuple):
    dataset: DatasetRef
    told: str
    bytes: int


def look_up(clusters: Sequence[Cluster], shared: Sequence[DatasetRef], *, strict: bool) -> Planned:
    """Look the datasets that are records up, and complete them: name, place, kind and number of files.

    :param strict: refuse a record that names another number of files than it says.
    :raises ListingError: when a record is not fit to be processed, or two have one name.
    :raises StorageError: when the portal does not answer.
    """
    every = dict.fromkeys([*shared, *(ref for cluster in clusters for ref in cluster.datasets)])
    records = [ref for ref in every if ref.is_record]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(records, pool.map(lambda ref: _look_up(ref, strict), records), strict=True))

    def complete(refs: Sequence[DatasetRef]) -> tuple[DatasetRef, ...]:
        return tuple(found[ref].dataset if ref in found else ref for ref in refs)

    completed = [cluster.model_copy(update={"datasets": complete(cluster.datasets)}) for cluster in clusters]
    if found and (problems := find_repeats(completed, complete(shared))):
        raise ListingError(str(CampaignError("campaign", problems)))
    size = sum(one.bytes for one in found.values())
    files = sum(one.dataset.planned_shards for one in found.values())
    told = [one.told for one in found.values()]
    return Planned(completed, complete(shared), told, size / files if size else None)


def record_files(dataset: DatasetRef) -> Iterator[File]:
    """Yield the files of a dataset that `look_up` has completed; raise ListingError if its record changed."""
    folder, files = _matching(dataset, read_record(str(dataset.index)))
    if not dataset.url.endswith(f"/{folder}"):
        raise ListingError(f"dataset {dataset.name}: its record has changed since the run was planned")
    return iter(files)


def _look_up(dataset: DatasetRef, strict: bool) -> _Found:
    record = read_record(str(dataset.index))
    folder, files = _matching(dataset, record)
    told = f"record {record.id}, {quote(record.title)}: {len(files)} of {len(record.files)} files"
    if record.number not in (None, len(record.files)):
        odd = f"{_of(record)} names {len(record.files)} files, and says that it has {record.number}"
        if strict:
            raise ListingError(f'{odd}; set "incomplete" to "warn" to run with those')
        told += f" (it says that it has {record.number})"
    size = sum(file.size or 0 for file in files)
    unsure = sum(file.checksum is None for file in files)
    told += f" match {dataset.match}, {size / 1e9:.3g} GB" + f", {unsure} without a checksum" * bool(unsure)
    found: dict[str, object] = {"index": record.url, "url": f"{dataset.url}{folder}", "files": len(files)}
    if ":" in dataset.name:
        found["name"] = plain_name(record.title, f"record-{record.id}")
    if dataset.sample == UNASSIGNED:
        found["datatype"] = "mc" if record.simulated else "data"
    if dataset.certified and record.simulated:
        raise ListingError(f"{_of(record)} is simulated: only data have certified sections")
    named = dataset.model_copy(update=found)
    taken = sum(file.size or 0 for file in files[: dataset.max_shards])
    return _Found(named, f"dataset {named.name} ({named.datatype}) is {told}", taken)


def _matching(dataset: DatasetRef, record: Record) -> tuple[str, list[File]]:
    """Return the folder of a dataset's files, with a slash at its end, and the files by their keys in it."""
    files = {uri: file for uri, file in record.files.items() if fnmatchcase(uri, dataset.matching)}
    if not files:
        endings = sorted({posixpath.splitext(uri)[1] for uri in record.files})
        has = f"{len(record.files)} files that end in {', '.join(endings[:NAMED])}" if endings else "no files"
        raise ListingError(f"{_of(record)} has {has}, and none that matches {dataset.match}")
    away = [uri for uri in islice(files, dataset.max_shards) if files[uri].availability != "online"]
    if away:
        more = f" and {len(away) - NAMED} more" if len(away) > NAMED else ""
        raise ListingError(
            f"{_of(record)}: {', '.join(map(quote, away[:NAMED]))}{more} lie on tape: request them on "
            f"{record.page}, and run this when they are online"
        )
    keys = {_key(uri, record): file for uri, file in files.items()}
    folder = posixpath.join(posixpath.commonpath([posixpath.dirname(key) for key in keys]), "")
    return folder, [
        File(key.removeprefix(folder), file.size, checksum=file.adler32) for key, file in keys.items()
    ]


def _key(uri: str, record: Record) -> str:
    """Return the path of a file, which is the same on every server."""
    try:
        return source_url(re.sub("^http:", "https:", uri)).split("/", 3)[3].lstrip("/")
    except (ValueError, IndexError) as error:
        why = f": {error}" if isinstance(error, ValueError) and str(error) else ""
        raise ListingError(
            f"{_of(record)} names the file {quote(uri)}, which no pod can ask for{why}"
        ) from None


def _of(record: Record) -> str:
    return f"record {record.id} ({record.page})"

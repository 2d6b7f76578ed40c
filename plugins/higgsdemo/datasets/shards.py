"""The shards of a cluster: made from a bucket's listing, kept as one JSON line each in the run's folder.

The list is written once and read by all that follows (submit, merge, resume), so a dataset that grows
meanwhile changes nothing, and XCom carries counts instead of 27,000 names. It is written and read line by
line: a list of a million shards takes no more memory than one of a thousand.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, Self

from pydantic import TypeAdapter

from higgsdemo.campaign import DatasetRef
from higgsdemo.run_folder import CORRUPT, locate, results_folder, shards_key
from higgsdemo.storage.documents import read_document, read_lines
from higgsdemo.storage.object_store import ObjectStore
from higgsdemo.wording import ExplainedError

LONGEST_NAME = 200
"""A part's has 28 characters more, up to 10^12 events, and a file's 5, `.json`; stores that keep files add to
it: names of files end at 255 bytes."""

PART = re.compile(r"_[0-9]+-[0-9]+$")  # what `cut` adds to the name of a file
UNREADABLE = re.compile(r"(^|/)\.{0,2}(/|$)|[\x00-\x1f\x7f]")  # keys that obstore does not ask for
AMBIGUOUS = re.compile(rf"{PART.pattern}|-([0-9a-f]{{8}}|[0-9a-f]{{32}})$")


class ListingError(ExplainedError):
    """A dataset cannot be run as listed; the message names the dataset and where it was looked for."""

    final = True


class File(NamedTuple):
    """A file by its key, with what is known of it: bytes, ETag, time of its last change, checksum."""

    key: str
    size: int | None = None
    etag: str | None = None
    modified: datetime | None = None
    checksum: str | None = None


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of a dataset, or some of its events.

    :param name: names its result; unique within the dataset.
    :param size: bytes of the file; None where an index file names it, which gives no sizes.
    :param etag: tells, with the size, which version of the file was listed; None where the store has none.
    :param entries: the first event and the one after the last; None for all.
    :param events: of the whole file; None where it was not cut.
    :param checksum: of the file, as ``adler32:`` and eight digits, where a record says it.
    :param lumi: integrated luminosity of a data shard: its ``stream`` and ``value`` in 1/ub.
    :param done: its result was there already when the run was planned to resume.
    """

    dataset: str
    name: str
    url: str
    size: int | None
    etag: str | None = None
    entries: tuple[int, int] | None = None
    events: int | None = None
    done: bool = False
    checksum: str | None = None
    lumi: dict[str, Any] | None = None

    @property
    def share(self) -> float:
        if self.entries is None or not self.events:
            return 1.0
        return (self.entries[1] - self.entries[0]) / self.events

    @property
    def bytes(self) -> int | None:
        """The same part of the file's bytes; None where its size is not known."""
        return None if self.size is None else round(self.size * self.share)


def list_shards(
    dataset: DatasetRef, files: Iterable[File], pass_over: Callable[[str, str], None]
) -> Iterator[Shard]:
    """Turn files, by keys relative to the dataset's ``base``, into shards; say why others are none."""
    for file in files:
        url = f"{dataset.base}{file.key}"
        if not fnmatchcase(url, dataset.matching):
            pass_over(file.key, f"does not match {dataset.match}")
        elif reason := _unfit(file):
            pass_over(file.key, reason)
        else:
            name = shard_name(file.key, dataset.ending)
            yield Shard(dataset.name, name, url, file.size, file.etag, checksum=file.checksum)


def cut(shard: Shard, ranges: Sequence[tuple[int, int]]) -> Iterator[Shard]:
    """Cut the shard that is a whole file into ranges of its events, which follow each other from the first.

    Each is named by its range: the same file cut at the same places gives the same names, in their order.

    >>> [part.name for part in cut(Shard("A", "mu", "s3://b/A/mu.root", 9), [(0, 60), (60, 120)])]
    ['mu_000-060', 'mu_060-120']
    """
    if len(ranges) < 2:
        yield shard
        return
    events = ranges[-1][1]
    digits = len(str(events))
    for start, stop in ranges:
        name = f"{shard.name}_{start:0{digits}}-{stop:0{digits}}"
        yield replace(shard, name=name, entries=(start, stop), events=events)


def shard_name(key: str, ending: str) -> str:
    """Return the key's path below the dataset without its ending, in characters that every store takes.

    Two keys never share a name, and no list of the names that are taken has to be kept: a key of other
    characters, as the slash, or whose name might be that of another key or of a part of its file, has digits
    of its hash added: eight, or 32 where what keys differ in may be lost: in long paths, and beyond ASCII.

    :param ending: of all keys of the dataset; empty where they have several, which then stay.

    >>> [shard_name(key, ".root") for key in ("0A1B-2C.root", "20000/0A1B.root", "mu_000-100.root")]
    ['0A1B-2C', '20000-0A1B-ede7945e', 'mu_000-100-c2f808b7']
    """
    path = key.removesuffix(ending)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path).lstrip("._-").rstrip(".-")
    if name and name == path and len(name) <= LONGEST_NAME and not AMBIGUOUS.search(name):
        return name
    digits = hashlib.sha256(key.encode()).hexdigest()
    added = f"-{digits[:8]}"
    if len(name) + len(added) > LONGEST_NAME or PART.search(name + added) or not path.isascii():
        added = f"-{digits[:32]}"
    return f"{name[: LONGEST_NAME - len(added)] or 'shard'}{added}"


def dump(shard: Shard) -> bytes:
    """Return the line of a shard in ``shards/<cluster>.jsonl``."""
    said = {name: value for name, value in asdict(shard).items() if value is not None}
    return json.dumps(said).encode() + b"\n"


def parse_line(line: bytes) -> Shard:
    """Return the shard of a line of ``shards/<cluster>.jsonl``."""
    said = {"size": None} | json.loads(line)
    if entries := said.get("entries"):
        said["entries"] = tuple(entries)
    return Shard(**said)


def cluster_shards(output: ObjectStore, cluster: str) -> Iterator[Shard]:
    """Yield the shards of a cluster from the run's folder, those of a dataset one after the other."""
    return read_lines(output, shards_key(cluster), parse_line)


def done_shards(output: ObjectStore, dataset: str) -> dict[str, datetime | None]:
    """Return the names of the shards of ``dataset`` that have their result, and when it was written."""
    found = ((locate(stored.key)[1], stored.modified) for stored in output.list(results_folder(dataset)))
    return {shard: modified for shard, modified in found if shard}


KEYS = TypeAdapter(list[str])


class Corrupt(NamedTuple):
    """Shards of which the last merge has found the result to be none, by dataset, and when it did."""

    shards: dict[str, set[str]]
    found: datetime | None

    @classmethod
    def of(cls, output: ObjectStore) -> Self:
        """Read what the merge has left in the run's folder."""
        shards: dict[str, set[str]] = {}
        told = output.look_up(CORRUPT)
        for key in read_document(output, CORRUPT, KEYS) if told else ():
            dataset, shard = locate(key)
            shards.setdefault(dataset, set()).add(shard)
        return cls(shards, told.modified if told else None)

    def take_from(self, done: dict[str, datetime | None], dataset: str) -> set[str]:
        """Take out of what `done_shards` has found those that were not written anew since; return them."""
        worthless = {
            name
            for name in self.shards.get(dataset, set()) & done.keys()
            if (written := done[name]) is None or self.found is None or written <= self.found
        }
        for name in worthless:
            del done[name]
        return worthless


def _unfit(file: File) -> str | None:
    if UNREADABLE.search(file.key):
        return (
            'has a key with an empty part, "." or "..", or a control character, which pods cannot ask for '
            "(copy it to another key)"
        )
    return "is empty" if file.size == 0 else None

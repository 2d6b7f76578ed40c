"""The shards of a cluster: listed from the bucket, kept as one JSON line each in the run's folder.

The list is written once and read by all that follows (submit, merge, resume), so a dataset that grows
meanwhile changes nothing, and XCom carries counts instead of 27,000 names.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from higgsdemo.storage import ObjectStore


class ListingError(RuntimeError):
    """A dataset cannot be run as listed; the message names the dataset and where it was looked for."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of a dataset.

    :param name: names its result; unique within the dataset.
    :param size: bytes; None where an index file names the shard, which gives no sizes.
    :param lumi: integrated luminosity of a data shard: its ``stream`` and ``value`` in 1/ub.
    :param done: its result was there already when the run was planned to resume.
    """

    dataset: str
    name: str
    url: str
    size: int | None
    done: bool = False
    lumi: dict[str, Any] | None = None


@dataclass(slots=True)
class Listing:
    """What the listing of one dataset found: the shards, and the keys passed over with the reason."""

    dataset: str
    shards: list[Shard] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def list_shards(
    dataset: str, files: Iterable[tuple[str, int | None]], base_url: str, limit: int | None = None
) -> Listing:
    """Turn the files below a URL into shards.

    :param files: keys relative to ``base_url`` with their sizes in bytes, None where unknown.
    :param limit: take the first so many.
    """
    listing = Listing(dataset)
    names: set[str] = set()
    for key, size in files:
        if limit is not None and len(listing.shards) >= limit:
            break
        if reason := _unfit(key, size):
            listing.skipped[key] = reason
            continue
        name = shard_name(key)
        if name in names:
            name += f"-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
        names.add(name)
        listing.shards.append(Shard(dataset, name, f"{base_url.rstrip('/')}/{key}", size))
    return listing


def shard_name(key: str) -> str:
    """Return the key's path below the dataset without its ending, in characters that every store takes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", key.strip("/").removesuffix(".root")).strip(".-") or "shard"


def dump(shards: Iterable[Shard]) -> bytes:
    """Return the JSON lines of ``shards/<cluster>.jsonl``."""
    return b"".join(json.dumps(asdict(shard)).encode() + b"\n" for shard in shards)


def load(content: bytes) -> Iterator[Shard]:
    """Yield the shards of ``shards/<cluster>.jsonl``."""
    for line in content.splitlines():
        yield Shard(**json.loads(line))


def shards_key(cluster: str) -> str:
    """Return the key, in the run's folder, of a cluster's list of shards."""
    return f"shards/{cluster}.jsonl"


def done_shards(output: ObjectStore, dataset: str) -> set[str]:
    """Return the names of the shards of ``dataset`` that have their result."""
    prefix = f"results/{dataset}"
    return {stored.key.rpartition("/")[2].removesuffix(".json") for stored in output.list(prefix)}


def _unfit(key: str, size: int | None) -> str | None:
    if not key.endswith(".root"):
        return "is no .root file"
    return "is empty" if size == 0 else None

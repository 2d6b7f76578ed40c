"""The shards of a cluster: made from a bucket's listing, kept as one JSON line each in the run's folder.

The list is written once and read by all that follows (submit, merge, resume), so a dataset that grows
meanwhile changes nothing, and XCom carries counts instead of 27,000 names. It is written and read line by
line: a list of a million shards takes no more memory than one of a thousand.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
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


def list_shards(
    dataset: str,
    files: Iterable[tuple[str, int | None]],
    base_url: str,
    pass_over: Callable[[str, str], None],
    limit: int | None = None,
) -> Iterator[Shard]:
    """Turn the files below a URL into shards, in their order.

    :param files: keys relative to ``base_url`` with their sizes in bytes, None where unknown.
    :param pass_over: told the key of each file that is no shard, and the reason.
    :param limit: take the first so many.
    """

    def fit() -> Iterator[Shard]:
        for key, size in files:
            if reason := _unfit(key, size):
                pass_over(key, reason)
            else:
                yield Shard(dataset, shard_name(key), f"{base_url.rstrip('/')}/{key}", size)

    return islice(fit(), limit)


def shard_name(key: str) -> str:
    """Return the key's path below the dataset without its ending, in characters that every store takes.

    A key of other characters, as the slash, has eight digits of its hash added: two keys never share a name,
    and no list of the names that are taken has to be kept.

    >>> shard_name("0A1B-2C.root"), shard_name("20000/0A1B.root")
    ('0A1B-2C', '20000-0A1B-ede7945e')
    """
    path = key.removesuffix(".root")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path).strip(".-")
    if name == path and name:
        return name
    return f"{name or 'shard'}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def dump(shard: Shard) -> bytes:
    """Return the line of a shard in ``shards/<cluster>.jsonl``."""
    return json.dumps(asdict(shard)).encode() + b"\n"


def load(lines: Iterable[bytes]) -> Iterator[Shard]:
    """Yield the shards of the lines of ``shards/<cluster>.jsonl``."""
    for line in lines:
        yield Shard(**json.loads(line))


def cluster_shards(output: ObjectStore, cluster: str) -> Iterator[Shard]:
    """Yield the shards of a cluster from the run's folder, those of a dataset one after the other."""
    return load(output.lines(shards_key(cluster)))


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

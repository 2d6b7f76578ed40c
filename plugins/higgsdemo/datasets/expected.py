"""The shards of which a run counts the results: those in the lists of its clusters, and no others.

A run's folder may hold results of more: a file that was cut otherwise when an earlier run went on with the
folder, or has been replaced since, leaves those of its former parts, and their events are in the results of
its present parts again. A cluster without a list has submitted nothing; results of its datasets that no other
list names are left where they are, and count once it has listed them.

The names are in a temporary database of SQLite, which keeps at most 2 MB of it in memory and the rest in a
file that nobody else sees: a million shards take no more memory than a thousand.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import NamedTuple, Self

from higgsdemo.run import ClusterRun
from higgsdemo.run_folder import locate, shards_key
from higgsdemo.storage.documents import read_lines
from higgsdemo.storage.object_store import DamagedError, ObjectStore

_TABLE = """
CREATE TABLE shard (
    dataset TEXT, name TEXT, cluster TEXT, start INT, stop INT, size INT, counted INT DEFAULT 0,
    PRIMARY KEY (dataset, name, cluster)
) WITHOUT ROWID
"""
_OF_SHARD = "WHERE dataset = ? AND name = ?"

Entries = tuple[int, int] | None
"""Of a part of a file, the first event and the one after the last."""


class Place(NamedTuple):
    """What a list says of a shard; `size` is that of its file in bytes, None where it is not known."""

    dataset: str
    name: str
    entries: Entries = None
    size: int | None = None


class Listed(NamedTuple):
    """A listed shard: the clusters that list it, and whether its result has been counted."""

    clusters: tuple[str, ...]
    entries: Entries
    size: int | None
    counted: bool


class ExpectedShards:
    """The listed shards of a run, as far as its lists have been read, and which of them were counted."""

    def __init__(self) -> None:
        self.clusters: dict[str, Counter[str]] = {}
        """How many a cluster lists, by dataset."""
        self.counted: dict[str, Counter[str]] = {}
        """How many of them have been counted."""
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute(_TABLE)
        self._database.execute("BEGIN")  # one transaction for all: nothing has to outlive this process

    @classmethod
    def of(cls, output: ObjectStore, assignments: Iterable[ClusterRun]) -> Self:
        """Read the lists of a run's clusters, of those that have one."""
        expected = cls()
        for cluster in clusters_with_list(output, assignments):
            expected.read(output, cluster)
        return expected

    def read(self, output: ObjectStore, cluster: str) -> None:
        """Read the list of a cluster, the whole of it or nothing; raise StorageError if it is none."""
        self.add(cluster, read_lines(output, shards_key(cluster), _place))

    def add(self, cluster: str, shards: Iterable[Place]) -> None:
        """Add what a cluster lists: all of it, or nothing.

        :raises DamagedError: when it lists a shard twice, or one that nothing could be named after.
        """
        listed = Counter[str]()

        def rows() -> Iterator[tuple[str | int | None, ...]]:
            for dataset, name, entries, size in shards:
                listed[dataset] += 1
                yield dataset, name, cluster, *(entries or (None, None)), size

        self._database.execute("SAVEPOINT list")
        try:
            self._database.executemany(
                "INSERT INTO shard (dataset, name, cluster, start, stop, size) VALUES (?, ?, ?, ?, ?, ?)",
                rows(),
            )
        except BaseException as error:
            self._database.execute("ROLLBACK TO list")
            if isinstance(error, sqlite3.Error | OverflowError | UnicodeEncodeError):
                what = f"the list of the cluster {cluster} is not what a run writes: {error}"
                raise DamagedError(what) from None
            raise
        finally:
            self._database.execute("RELEASE list")
        self.clusters[cluster], self.counted[cluster] = listed, Counter()

    def find(self, key: str) -> Listed | None:
        """Return the shard of which the object of that key, in the run's folder, is the result, if any."""
        asked = f"SELECT cluster, start, stop, size, counted FROM shard {_OF_SHARD}"
        found = self._database.execute(asked, locate(key)).fetchall()
        if not found:
            return None
        _, start, stop, size, counted = found[0]
        entries = None if start is None else (start, stop)
        return Listed(tuple(cluster for cluster, *_ in found), entries, size, bool(counted))

    def count(self, key: str) -> None:
        """Note that the result of that key is counted."""
        dataset, shard = locate(key)
        marked = f"UPDATE shard SET counted = 1 {_OF_SHARD} AND NOT counted RETURNING cluster"
        for (cluster,) in self._database.execute(marked, (dataset, shard)).fetchall():
            self.counted[cluster][dataset] += 1

    def uncounted(self, dataset: str) -> Iterator[tuple[str, str]]:
        """Yield name and cluster of the shards of a dataset without a counted result, by name."""
        asked = "SELECT name, cluster FROM shard WHERE dataset = ? AND NOT counted ORDER BY name"
        yield from self._database.execute(asked, (dataset,))

    def datasets(self) -> dict[str, tuple[int, int]]:
        """Return, by dataset, how many shards are listed, and how many of them are counted."""
        shards = "SELECT DISTINCT dataset, name, counted FROM shard"
        found = self._database.execute(
            f"SELECT dataset, count(*), sum(counted) FROM ({shards}) GROUP BY dataset"
        )
        return {dataset: (listed, counted) for dataset, listed, counted in found}

    @property
    def listed(self) -> Counter[str]:
        """Shards by dataset, of the clusters that have a list."""
        return sum(self.clusters.values(), Counter[str]())

    def counts(self, assignments: Iterable[ClusterRun]) -> dict[str, int]:
        """Return the shards of a run by dataset: as listed, else as the plan or the catalogue says."""
        return count_shards(self.listed, self.clusters, assignments)


def clusters_with_list(output: ObjectStore, assignments: Iterable[ClusterRun]) -> list[str]:
    """Return those of a run's clusters whose list is in its folder."""
    clusters = (assignment.cluster.name for assignment in assignments)
    return [cluster for cluster in clusters if output.exists(shards_key(cluster))]


def count_shards(
    listed: Mapping[str, int], clusters: Container[str], assignments: Iterable[ClusterRun]
) -> dict[str, int]:
    """Return the shards of a run by dataset: those listed by `clusters`, and those planned on the others."""
    counts = Counter(listed)
    for assignment in assignments:
        unlisted = assignment.cluster.name not in clusters
        for ref in assignment.cluster.datasets:
            counts[ref.name] += ref.planned_shards if unlisted else 0
    return dict(counts)


def _place(line: bytes) -> Place:
    """Return what is needed of a listed shard: what it has besides would take most of the time."""
    shard = json.loads(line)
    dataset, name = str(shard["dataset"]), str(shard["name"])
    entries, size = shard.get("entries"), shard.get("size")
    part = (int(entries[0]), int(entries[1])) if entries else None
    return Place(dataset, name, part, None if size is None else int(size))

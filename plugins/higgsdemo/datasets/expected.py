"""The shards of which a run counts the results: those in the lists of its clusters, and no others.

A run's folder may hold results of more: a file that was cut otherwise when an earlier run went on with the
folder, or has been replaced since, leaves those of its former parts, and their events are in the results of
its present parts again. A cluster without a list has submitted nothing; results of its datasets that no other
list names are left where they are, and count once it has listed them.
"""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Self

from higgsdemo.run import ClusterRun
from higgsdemo.run_folder import locate, shards_key
from higgsdemo.storage.documents import read_lines
from higgsdemo.storage.object_store import ObjectStore

Shards = dict[str, tuple[int, int] | None]
"""Shards by name; of a part of a file, the first event and the one after the last."""


class ExpectedShards:
    """The listed shards of a run, as far as its lists have been read."""

    def __init__(self) -> None:
        self.clusters: dict[str, dict[str, Shards]] = {}
        """By cluster and dataset."""

    @classmethod
    def of(cls, output: ObjectStore, assignments: Iterable[ClusterRun]) -> Self:
        """Read the lists of a run's clusters, of those that have one."""
        expected = cls()
        for assignment in assignments:
            if output.exists(shards_key(assignment.cluster.name)):
                expected.read(output, assignment.cluster.name)
        return expected

    def read(self, output: ObjectStore, cluster: str) -> None:
        """Read the list of a cluster, the whole of it or nothing; raise StorageError if it is none."""
        listed: dict[str, Shards] = {}
        for dataset, name, entries in read_lines(output, shards_key(cluster), _place):
            listed.setdefault(dataset, {})[name] = entries
        self.clusters[cluster] = listed

    def __contains__(self, key: str) -> bool:
        """Whether the object of that key, in the run's folder, is the result of one of these shards."""
        return self.cluster(key) is not None

    def entries(self, key: str) -> tuple[int, int] | None:
        """Return the events of which that result must be; None where it is of all events of a file."""
        dataset, shard = locate(key)
        cluster = self.cluster(key)
        return self.clusters[cluster][dataset][shard] if cluster else None

    def cluster(self, key: str) -> str | None:
        """Return the cluster that has the shard of that result in its list."""
        dataset, shard = locate(key)
        homes = (name for name, listed in self.clusters.items() if shard in listed.get(dataset, ()))
        return next(homes, None)

    @property
    def listed(self) -> Counter[str]:
        """Shards by dataset, of the clusters that have a list."""
        counts = Counter[str]()
        for of_cluster in self.clusters.values():
            counts.update({dataset: len(shards) for dataset, shards in of_cluster.items()})
        return counts

    def counts(self, assignments: Iterable[ClusterRun]) -> dict[str, int]:
        """Return the shards of a run by dataset: as listed, else as the plan or the catalogue says."""
        counts = self.listed
        for assignment in assignments:
            unlisted = assignment.cluster.name not in self.clusters
            for ref in assignment.cluster.datasets:
                counts[ref.name] += ref.planned_shards if unlisted else 0
        return dict(counts)


def _place(line: bytes) -> tuple[str, str, tuple[int, int] | None]:
    """Return dataset, name and events of a listed shard: what it has besides would take most of the time."""
    shard = json.loads(line)
    place, entries = (str(shard["dataset"]), str(shard["name"])), shard.get("entries")
    return *place, (int(entries[0]), int(entries[1])) if entries else None

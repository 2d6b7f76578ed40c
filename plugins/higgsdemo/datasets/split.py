"""Distribute the shards of a campaign over its clusters, in proportion to their capacity.

The shards stay in the order of the datasets and of their keys, and each cluster takes one piece of that
sequence. A dataset is therefore cut only where a cluster's piece ends, and there are at most as many extra
Jobs as clusters. The same listing and clusters always give the same pieces, so that a repeated or resumed run
finds every shard where it was.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby
from pathlib import Path

from higgsdemo.campaign import Cluster, DatasetRef
from higgsdemo.datasets.listing import Listing
from higgsdemo.datasets.shards import parse_line
from higgsdemo.run_folder import shards_key
from higgsdemo.storage.object_store import ObjectStore


def pieces(sizes: Iterable[float], total: float, capacities: Sequence[float]) -> Iterator[int]:
    """Yield for each shard of a sequence the position of its cluster, in ascending order.

    Cluster i owns the part of the bytes that corresponds to its part of all capacity; a shard goes to the
    cluster that has its middle byte, so no cluster is off its share by more than one shard.
    """
    scale = total / sum(capacities)
    ends = [end * scale for end in accumulate(capacities)]
    position, before = 0, 0.0
    for size in sizes:
        middle = before + size / 2
        while position < len(ends) - 1 and middle >= ends[position]:
            position += 1
        before += size
        yield position


def share_out(
    listings: Sequence[Listing], clusters: Sequence[Cluster], output: ObjectStore, folder: Path
) -> list[Cluster]:
    """Write the list of each cluster's shards; return the clusters with the datasets, or parts, they got."""
    counts: list[Counter[str]] = [Counter() for _ in clusters]
    part = folder / "part.jsonl"
    waiting = list(range(len(clusters)))
    for position, of_cluster in groupby(place_rows(listings, clusters), key=lambda placed: placed[0]):
        with part.open("wb") as file:
            for _, (dataset, line) in of_cluster:
                counts[position][dataset] += 1
                file.write(line)
        output.upload(shards_key(clusters[position].name), part)
        waiting.remove(position)
    for position in waiting:  # more clusters than shards
        output.write(shards_key(clusters[position].name), b"")
    return with_parts([listing.dataset for listing in listings], clusters, counts)


def place_rows(
    listings: Sequence[Listing], clusters: Sequence[Cluster]
) -> Iterator[tuple[int, tuple[str, bytes]]]:
    """Yield for each shard the position of its cluster, with the shard's dataset and line."""
    mean = mean_bytes(listings) or 1.0
    total = sum(listing.bytes + listing.unsized * mean for listing in listings)
    homes = pieces(_sizes(listings, mean), total, [c.capacity or 1 for c in clusters])
    return zip(homes, _rows(listings), strict=True)


def with_parts(
    datasets: Sequence[DatasetRef], clusters: Sequence[Cluster], counts: Sequence[Mapping[str, int]]
) -> list[Cluster]:
    """Return the clusters with the datasets, or parts of them, of which they got so many shards."""
    refs = {dataset.name: dataset for dataset in datasets}
    return [
        cluster.model_copy(update={"datasets": tuple(_part(refs[name], n) for name, n in got.items())})
        for cluster, got in zip(clusters, counts, strict=True)
    ]


def _part(dataset: DatasetRef, shards: int) -> DatasetRef:
    return dataset.model_copy(update={"files": shards, "max_shards": None})


def _rows(listings: Sequence[Listing]) -> Iterator[tuple[str, bytes]]:
    for listing in listings:
        with listing.lines.open("rb") as lines:
            for line in lines:
                yield listing.dataset.name, line


def _sizes(listings: Sequence[Listing], mean: float) -> Iterator[float]:
    """Yield the bytes of each shard; one of unknown size counts as the mean of the others."""
    for _, line in _rows(listings):
        size = parse_line(line).bytes
        yield mean if size is None else size


def mean_bytes(listings: Sequence[Listing]) -> float | None:
    """Return the mean size of the shards of known size; None where there are none."""
    sized = sum(listing.shards - listing.unsized for listing in listings)
    return sum(listing.bytes for listing in listings) / sized if sized else None

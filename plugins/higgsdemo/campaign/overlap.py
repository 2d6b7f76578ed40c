"""Find what a campaign would run, and count, twice.

This may be datasets of one name, one dataset inside another and, where index files name files, one file in
two datasets.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from higgsdemo.campaign.cluster import Cluster
from higgsdemo.campaign.datasets import DatasetRef
from higgsdemo.campaign.index_files import read_index
from higgsdemo.campaign.problems import Path, Problem
from higgsdemo.wording import quote

TWICE = "its events would be counted twice"


@dataclass(frozen=True)
class Placed:
    """A dataset, and its place in the campaign.

    :param store: identifies the store of its bucket: two stores may have buckets of one name.
    """

    path: Path
    ref: DatasetRef
    store: str


def placed_datasets(clusters: Sequence[Cluster], shared: Sequence[DatasetRef]) -> list[Placed]:
    """Return every dataset of a campaign; its connection stands for the store."""
    of_all = clusters[0].input_connection if clusters else ""
    own = [
        Placed(("mapping", position, "datasets", number), ref, cluster.input_connection)
        for position, cluster in enumerate(clusters)
        for number, ref in enumerate(cluster.datasets)
    ]
    return own + [Placed(("datasets", number), ref, of_all) for number, ref in enumerate(shared)]


def local_files(dataset: DatasetRef) -> list[str]:
    """Return the files in an index file of `include/datasets`; none for one that is elsewhere."""
    return read_index(dataset.index) if dataset.index and "://" not in dataset.index else []


def find_repeats(clusters: Sequence[Cluster], shared: Sequence[DatasetRef]) -> list[Problem]:
    """Return the problems of repeated names and datasets, as far as the campaign alone tells."""
    placed = placed_datasets(clusters, shared)
    return [*_cluster_names(clusters), *_dataset_names(placed)] or list(overlaps(placed, local_files))


def overlaps(placed: Sequence[Placed], files: Callable[[DatasetRef], Iterable[str]]) -> Iterator[Problem]:
    """Return the problems of datasets that share files: one for two datasets, naming the first file."""
    folders = {(one.store, one.ref.url): one for one in placed if one.ref.index is None}
    named: dict[tuple[str, str], Placed] = {}
    for one in placed:
        if one.ref.index is None:
            outer = next((other for other in _around(one.ref.url, one.store, folders) if other != one), None)
            if outer is not None:
                text = (
                    f"is {quote(one.ref.url)}, which is inside {quote(outer.ref.url)} of {{other}}: {TWICE}"
                )
                yield Problem(one.path, text, outer.path)
            continue
        found: dict[Path, Problem] = {}
        for file in files(one.ref):
            first = named.setdefault((one.store, file), one)
            for other in (first, *(_around(f"{file}/", one.store, folders) if folders else ())):
                text = (
                    f"is the dataset {quote(one.ref.name)}, whose index file names {quote(file)}, a file of "
                    f"{{other}} ({quote(other.ref.name)}) as well: {TWICE}"
                )
                if other != one:
                    found.setdefault(other.path, Problem(one.path, text, other.path))
        yield from found.values()


def _around(url: str, store: str, folders: dict[tuple[str, str], Placed]) -> Iterator[Placed]:
    """Yield the datasets that are the files below a URL, or below a part of its path."""
    parts = url.rstrip("/").split("/")
    for depth in range(len(parts), 2, -1):
        if found := folders.get((store, "/".join(parts[:depth]) + "/")):
            yield found


def _cluster_names(clusters: Sequence[Cluster]) -> Iterator[Problem]:
    names: dict[str, int] = {}
    for position, cluster in enumerate(clusters):
        first = names.setdefault(cluster.name, position)
        if first != position:
            text = f"is {quote(cluster.name)}, which is also the name of {{other}}"
            yield Problem(("mapping", position, "name"), text, ("mapping", first))


def _dataset_names(placed: Sequence[Placed]) -> Iterator[Problem]:
    seen: dict[str, Path] = {}
    for one in placed:
        first = seen.setdefault(one.ref.name, one.path)
        if first != one.path:
            text = f"is the dataset {quote(one.ref.name)}, which is also {{other}}: {TWICE} (two datasets of"
            yield Problem(one.path, f"{text} different URLs need names of their own)", first)

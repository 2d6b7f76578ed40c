"""``list_dataset_shards``: which files this cluster works off, written down once for all that follows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from higgsdemo.operators.base import ClusterOperator, output_store, told
from higgsdemo.run import ClusterRun, Stage

if TYPE_CHECKING:
    from airflow.sdk import Context

    from higgsdemo.campaign.model import DatasetRef
    from higgsdemo.luminosity import Luminosities
    from higgsdemo.shards import Listing, Shard
    from higgsdemo.storage import ObjectStore

PREFIXES_AT_ONCE = 8  # a listing is a chain of requests, each page naming the next


class ListShardsOperator(ClusterOperator):
    """List the cluster's datasets in the input bucket and keep the list in the run's folder."""

    stage: ClassVar[Stage] = "submit"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return counts for each dataset; the shards themselves lie in ``shards/<cluster>.jsonl``."""
        from higgsdemo.catalogue import load_catalogue
        from higgsdemo.luminosity import Luminosities
        from higgsdemo.shards import dump, shards_key

        assignment = self.begin()
        cluster = assignment.cluster
        shards: list[Shard] = []
        datasets: dict[str, dict[str, int]] = {}
        with told():
            output = output_store(assignment)
            luminosities = Luminosities(load_catalogue(assignment.run.catalogue))
            for dataset, listing in zip(cluster.datasets, _listings(assignment), strict=True):
                self._report(assignment, dataset, listing)
                listing.shards = [_with_luminosity(shard, dataset, luminosities) for shard in listing.shards]
                if assignment.run.resume:
                    _mark_done(listing, output)
                shards += listing.shards
                datasets[dataset.name] = {
                    "shards": len(listing.shards),
                    "bytes": sum(shard.size or 0 for shard in listing.shards),
                    "done": sum(shard.done for shard in listing.shards),
                }
            output.write(shards_key(cluster.name), dump(shards))
        self.log.info("%d shards in %d datasets", len(shards), len(datasets))
        return {"cluster_name": cluster.name, "datasets": datasets}

    def _report(self, assignment: ClusterRun, dataset: DatasetRef, listing: Listing) -> None:
        """Tell what was passed over, and whether the dataset is all there.

        :raises ListingError: when it is not, and the campaign wants it so.
        """
        from higgsdemo.shards import ListingError

        for key, why in listing.skipped.items():
            self.log.warning("dataset %s: %s %s: passed over", dataset.name, key, why)
        problem = _incomplete(assignment, dataset, listing)
        if problem and assignment.run.incomplete == "fail":
            raise ListingError(f'{problem}; set "incomplete" to "warn" to run with what is there')
        if problem:
            self.log.warning(problem)


def _listings(assignment: ClusterRun) -> Iterator[Listing]:
    """Yield the listings of the cluster's datasets, made several at a time, in the order of the datasets."""
    cluster = assignment.cluster
    stores = {dataset.url: _store_of(assignment, dataset) for dataset in cluster.datasets}
    with ThreadPoolExecutor(PREFIXES_AT_ONCE) as pool:
        yield from pool.map(lambda dataset: _listing(dataset, stores[dataset.url]), cluster.datasets)


def _store_of(assignment: ClusterRun, dataset: DatasetRef) -> ObjectStore:
    from higgsdemo.storage import ObjectStore

    return ObjectStore(dataset.url, assignment.cluster.input_connection)


def _listing(dataset: DatasetRef, store: ObjectStore) -> Listing:
    from higgsdemo.shards import list_shards

    return list_shards(dataset.name, _files(dataset, store), dataset.url, dataset.max_shards)


def _files(dataset: DatasetRef, store: ObjectStore) -> Iterator[tuple[str, int | None]]:
    """Yield keys below the dataset's URL with their sizes: from its index file, or from the bucket."""
    from higgsdemo.campaign import parse_index, read_index
    from higgsdemo.shards import ListingError

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


def _incomplete(assignment: ClusterRun, dataset: DatasetRef, listing: Listing) -> str | None:
    """Say in which way a dataset is not all there."""
    found = len(listing.shards)
    if not found:
        return (
            f"dataset {dataset.name}: no .root file below {dataset.url}; are the URL and the Airflow "
            f"connection {assignment.cluster.input_connection!r} right?"
        )
    if dataset.files is not None and dataset.max_shards is None and found != dataset.files:
        return (
            f"dataset {dataset.name}: {found} files below {dataset.url}, the catalogue says {dataset.files}"
        )
    return None


def _with_luminosity(shard: Shard, dataset: DatasetRef, luminosities: Luminosities) -> Shard:
    return replace(shard, lumi=luminosities.of(dataset.name, shard.url.removeprefix(dataset.url)))


def _mark_done(listing: Listing, output: ObjectStore) -> None:
    from higgsdemo.shards import done_shards

    done = done_shards(output, listing.dataset)
    listing.shards = [replace(shard, done=shard.name in done) for shard in listing.shards]

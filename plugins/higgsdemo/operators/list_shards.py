"""``list_dataset_shards``: which files this cluster works off, written down once for all that follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from higgsdemo.operators.base import ClusterOperator, output_store, told
from higgsdemo.run import Run, Stage

if TYPE_CHECKING:
    from airflow.sdk import Context

    from higgsdemo.campaign.model import DatasetRef
    from higgsdemo.shards import Listing, Shard
    from higgsdemo.storage import ObjectStore


class ListShardsOperator(ClusterOperator):
    """List the cluster's datasets in the input bucket and keep the list in the run's folder."""

    stage: ClassVar[Stage] = "submit"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return counts for each dataset; the shards themselves lie in ``shards/<cluster>.jsonl``."""
        from higgsdemo.shards import dump, shards_key

        assignment = self.begin()
        run, cluster = assignment.run, assignment.cluster
        shards: list[Shard] = []
        datasets: dict[str, dict[str, int]] = {}
        with told():
            output = output_store(assignment)
            for dataset in cluster.datasets:
                listing = self._list(run, dataset, output)
                shards += listing.shards
                datasets[dataset.name] = {
                    "shards": len(listing.shards),
                    "bytes": sum(shard.size or 0 for shard in listing.shards),
                    "done": sum(shard.done for shard in listing.shards),
                }
            output.write(shards_key(cluster.name), dump(shards))
        self.log.info("%d shards in %d datasets", len(shards), len(datasets))
        return {"cluster_name": cluster.name, "datasets": datasets}

    def _list(self, run: Run, dataset: DatasetRef, output: ObjectStore) -> Listing:
        from higgsdemo.shards import ListingError, done_shards, list_shards

        listing = list_shards(dataset.name, self._files(run, dataset), dataset.url, dataset.max_shards)
        for key, why in listing.skipped.items():
            self.log.warning("dataset %s: %s %s: passed over", dataset.name, key, why)
        found = len(listing.shards)
        if not found:
            raise ListingError(
                f"dataset {dataset.name}: no .root file below {dataset.url}; are the URL and the Airflow "
                f"connection {run.input_connection!r} right?"
            )
        if dataset.files is not None and dataset.max_shards is None and found != dataset.files:
            self.log.warning(
                "dataset %s: %d files, the catalogue says %d", dataset.name, found, dataset.files
            )
        if run.resume:
            done = done_shards(output, dataset.name)
            listing.shards = [replace(shard, done=shard.name in done) for shard in listing.shards]
        return listing

    def _files(self, run: Run, dataset: DatasetRef) -> Iterator[tuple[str, int | None]]:
        """Yield keys below the dataset's URL with their sizes: from its index file, or from the bucket."""
        from higgsdemo.campaign import read_index
        from higgsdemo.storage import ObjectStore

        if dataset.index:
            yield from ((url.removeprefix(dataset.url), None) for url in read_index(dataset.index))
        else:
            for stored in ObjectStore(dataset.url, run.input_connection).list():
                yield stored.key, stored.size

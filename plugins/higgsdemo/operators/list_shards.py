"""``list_dataset_shards``: the files that this cluster processes, listed once for all later tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from higgsdemo import tasks
from higgsdemo.campaign import DatasetRef, Placed
from higgsdemo.operators.base import ClusterOperator, fail_in_words, in_time, output_store
from higgsdemo.run import ClusterRun, Run
from higgsdemo.run_folder import result_key, shards_key
from higgsdemo.wording import printable

if TYPE_CHECKING:
    from higgsdemo.datasets.listing import Listing


class ListShardsOperator(ClusterOperator):
    """List the cluster's datasets in the input bucket and keep the list in the run's folder.

    Where ``plan`` has done so already, to split the datasets over the clusters, count the cluster's part.
    """

    stage = tasks.LIST.stage

    def execute(self, context: Context) -> dict[str, Any]:
        """Return counts for each dataset; the shards themselves are in ``shards/<cluster>.jsonl``."""
        assignment = self.begin(context)
        cluster = assignment.cluster
        counts = self._count(assignment) if assignment.run.listed else self._list(assignment)
        in_time(assignment, context)
        shards = sum(of_dataset["shards"] for of_dataset in counts.values())
        self.log.info("%d shards in %d datasets", shards, len(counts))
        return {"cluster_name": cluster.name, "datasets": counts}

    def _count(self, assignment: ClusterRun) -> dict[str, dict[str, int]]:
        from higgsdemo.datasets.shards import cluster_shards

        counts = {ref.name: {"shards": 0, "bytes": 0, "done": 0} for ref in assignment.cluster.datasets}
        with fail_in_words():
            for shard in cluster_shards(output_store(assignment), assignment.cluster.name):
                of_dataset = counts[shard.dataset]
                of_dataset["shards"] += 1
                of_dataset["bytes"] += shard.bytes or 0
                of_dataset["done"] += shard.done
        return counts

    def _list(self, assignment: ClusterRun) -> dict[str, dict[str, int]]:
        from higgsdemo.datasets.listing import write_shards

        run, cluster = assignment.run, assignment.cluster
        with fail_in_words(), TemporaryDirectory() as temporary:
            folder = Path(temporary)
            listings = list_and_check(
                run, cluster.datasets, cluster.input_connection, folder, self.log.warning
            )
            parts = [listing.lines for listing in listings]
            write_shards(output_store(assignment), shards_key(cluster.name), parts, folder)
        return {listing.dataset.name: listing.counts for listing in listings}


def list_and_check(
    run: Run, datasets: Sequence[DatasetRef], connection: str, folder: Path, warn: Callable[..., object]
) -> list[Listing]:
    """List datasets, and report skipped files and incomplete datasets.

    Results that are corrupt or older than their files are removed: pods would take them for done.

    :raises ListingError: when datasets share files, or one is incomplete and the campaign says to fail.
    """
    from higgsdemo.datasets.listing import incomplete, list_datasets
    from higgsdemo.datasets.overlap_in_stores import refuse_overlaps
    from higgsdemo.datasets.shards import ListingError
    from higgsdemo.storage.object_store import ObjectStore

    refuse_overlaps([Placed((ref.name,), ref, connection) for ref in datasets])
    output = ObjectStore(run.output, run.output_connection) if run.resume else None
    listings = list_datasets(run, datasets, connection, output, folder)
    for listing in listings:
        name = listing.dataset.name
        for key, why in listing.passed_over.items():
            warn("dataset %s: %s %s: passed over", name, printable(key), why)
        if more := listing.passed_over_count - len(listing.passed_over):
            warn("dataset %s: %d more files are not shards: skipped", name, more)
        problem = incomplete(listing, connection)
        if problem and run.incomplete == "fail":
            raise ListingError(f'{problem}; set "incomplete" to "warn" to run with what is there')
        if problem:
            warn(problem)
    for listing in listings:
        if listing.outdated and output:
            name, number = listing.dataset.name, len(listing.outdated)
            warn("dataset %s: %d results are corrupt, or older than their files: run again", name, number)
            output.remove([result_key(name, shard) for shard in listing.outdated])
    return listings

"""What the page knows of a run's folder in the bucket, as far as it has been read."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from higgsdemo.datasets.run_catalogue import catalogue_of
from higgsdemo.page.airflow_run import AirflowRun
from higgsdemo.page.run_documents import JobsSeen, RunSummary, SpectrumChart
from higgsdemo.physics.normalisation import normalise
from higgsdemo.physics.spectra import add_up
from higgsdemo.prediction import account_rows
from higgsdemo.publication.chart import chart, own_chart
from higgsdemo.results.merge import Merge
from higgsdemo.run_folder import locate, result_key

STRAGGLERS = 20  # shards that are named, when no more are left
STRAGGLING = 0.1  # part of all shards that they are at most


@dataclass(frozen=True)
class Snapshot:
    """What has been read of a run's folder.

    :param counted: results by dataset.
    :param finished: when shards were finished, by dataset: seconds since 1970, in no order.
    :param jobs: shards and pods by cluster and dataset, as last seen in the clusters.
    :param failures: the failed shards, with their reasons.
    :param found: results that there are, those still to be read included, as far as is known.
    :param complete: whether everything there was has been read.
    :param account: what the run should take, and what it has taken so far: rows of a table.
    :param remarks: what `plan` has found that a person should know.
    :param stragglers: the last shards without a result, once they are few: cluster, dataset and shard.
    :param error: what of the bucket cannot be read, and why.
    """

    counted: dict[str, int] = field(default_factory=dict)
    finished: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    jobs: dict[str, dict[str, JobsSeen]] = field(default_factory=dict)
    failures: tuple[dict[str, Any], ...] = ()
    chart: dict[str, Any] | None = None
    summary: dict[str, Any] | None = None
    files: tuple[str, ...] = ()
    read: int = 0
    found: int = 0
    complete: bool = False
    account: list[list[str]] = field(default_factory=list)
    remarks: tuple[str, ...] = ()
    stragglers: tuple[dict[str, str], ...] = ()
    error: str | None = None


def of_merged(summary: RunSummary, numbers: SpectrumChart, seen: Snapshot) -> Snapshot:
    """Return the picture of a merged run from its summary and its chart."""
    told = summary.model_dump(mode="json", exclude_unset=True)
    counted = {name: dataset.shards.done for name, dataset in summary.datasets.items()}
    total = sum(counted.values())
    return replace(
        seen,
        counted=counted,
        failures=tuple(told.get("failures", ())),
        chart=numbers.model_dump(mode="json", exclude_unset=True),
        summary=told,
        read=total,
        found=total,
        complete=True,
        account=account_rows(summary.predicted, summary.took),
    )


def of_results(merge: Merge, run: AirflowRun, noted: Iterable[dict[str, Any]], seen: Snapshot) -> Snapshot:
    """Return the picture of the results read so far; a shard with a result has not failed, though noted."""
    listed = ((one, merge.expected.find(result_key(one["dataset"], one["shard"]))) for one in noted)
    failures = (one for one, shard in listed if not (shard and shard.counted))
    return replace(
        seen,
        counted={name: merge.counts[name] for name in run.datasets},
        finished={name: merge.finished(name) for name in run.datasets},
        failures=(*failures, *_corrupt(merge)),
        chart=_chart(merge, run),
        read=merge.read,
    )


def stragglers(merge: Merge, run: AirflowRun) -> tuple[dict[str, str], ...]:
    """Return the last shards, by name, once they are few."""
    expected = merge.expected
    left = expected.listed.total() - merge.read
    if not 0 < left <= min(STRAGGLERS, sum(expected.counts(run.assignments).values()) * STRAGGLING):
        return ()
    return tuple(
        {"cluster": cluster, "dataset": dataset, "shard": shard}
        for dataset in expected.listed
        for shard, cluster in expected.uncounted(dataset)
    )


def _chart(merge: Merge, run: AirflowRun) -> dict[str, Any]:
    catalogue = catalogue_of(run.assignments, merge.simulated)
    expected = merge.expected.counts(run.assignments)
    if (histograms := run.assignments[0].run.counted) is not None:
        return own_chart(add_up(merge.datasets, histograms, expected), catalogue)
    sums = merge.candidates.once(merge.datasets, catalogue)
    return chart(normalise(sums, catalogue, expected), catalogue, merge.candidates.table(catalogue))


def _corrupt(merge: Merge) -> list[dict[str, Any]]:
    return [
        {"cluster": listed.clusters[0], "dataset": dataset, "shard": shard, "reason": reason}
        for key, reason in merge.corrupt.items()
        for dataset, shard in [locate(key)]
        if (listed := merge.expected.find(key))
    ]

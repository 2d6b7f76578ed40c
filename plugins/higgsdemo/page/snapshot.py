"""What the page knows of a run's folder in the bucket, as far as it has been read."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from higgsdemo.page.run_documents import JobsSeen, RunSummary, SpectrumChart
from higgsdemo.prediction import account_rows


@dataclass(frozen=True)
class Snapshot:
    """What has been read of a run's folder.

    :param counted: results by dataset.
    :param finished: when shards were finished, by dataset: seconds since 1970, in no order.
    :param jobs: shards and pods by cluster and dataset, as last seen in the clusters.
    :param failures: the failed shards, with their reasons.
    :param found: results in the bucket, those still to be read included.
    :param complete: whether everything there was has been read.
    :param account: what the run should take, and what it has taken so far: rows of a table.
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
    stragglers: tuple[dict[str, str], ...] = ()
    error: str | None = None


def of_merged(summary: RunSummary, chart: SpectrumChart, seen: Snapshot) -> Snapshot:
    """Return the picture of a merged run from its summary and its chart."""
    told = summary.model_dump(mode="json", exclude_unset=True)
    counted = {name: dataset.shards.done for name, dataset in summary.datasets.items()}
    total = sum(counted.values())
    return replace(
        seen,
        counted=counted,
        failures=tuple(told.get("failures", ())),
        chart=chart.model_dump(mode="json", exclude_unset=True),
        summary=told,
        read=total,
        found=total,
        complete=True,
        account=account_rows(summary.predicted, summary.took),
    )

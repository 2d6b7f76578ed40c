"""What the page tells of a run's folder in the bucket, as far as it has been read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from higgsdemo.prediction import Account, account_rows
from higgsdemo.publication.chart import CHART
from higgsdemo.run import SUMMARY
from higgsdemo.storage.object_store import ObjectStore


@dataclass(frozen=True)
class Snapshot:
    """What has been read of a run's folder.

    :param counted: results by dataset.
    :param finished: when shards were finished, by dataset: seconds since 1970, in no order.
    :param jobs: shards and pods by cluster and dataset, as last seen in the clusters.
    :param failures: the failed shards, with their reasons.
    :param found: results in the bucket, those still to be read included.
    :param complete: whether everything there was has been read.
    :param account: what the run should take and, once it is merged, what it took: rows of a table.
    :param stragglers: the last shards without a result, once they are few: cluster, dataset and shard.
    :param error: why the bucket cannot be read.
    """

    counted: dict[str, int] = field(default_factory=dict)
    finished: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: tuple[dict[str, Any], ...] = ()
    chart: dict[str, Any] | None = None
    summary: dict[str, Any] | None = None
    files: tuple[str, ...] = ()
    read: int = 0
    found: int = 0
    complete: bool = False
    account: tuple[list[str], ...] = ()
    stragglers: tuple[dict[str, str], ...] = ()
    error: str | None = None


def merged(
    store: ObjectStore, jobs: dict[str, Any], noted: tuple[Any, ...], files: tuple[str, ...]
) -> Snapshot:
    """What the files of a merged run tell."""
    summary = json.loads(store.read(SUMMARY))
    counted = {name: dataset["shards"]["done"] for name, dataset in summary["datasets"].items()}
    total = sum(counted.values())
    return Snapshot(
        counted=counted,
        jobs=jobs,
        failures=tuple(summary["failures"]) or noted,
        chart=json.loads(store.read(CHART)),
        summary=summary,
        files=files,
        read=total,
        found=total,
        complete=True,
        account=account_of(summary.get("predicted"), summary.get("took")),
    )


def account_of(predicted: Any, took: Any) -> tuple[list[str], ...]:
    """The rows of what a run should take and, where it is known, what it took."""
    sides = (Account.model_validate(side) if side else None for side in (predicted, took))
    return tuple(account_rows(*sides))

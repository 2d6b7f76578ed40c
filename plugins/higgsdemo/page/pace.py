"""How fast a run goes, from the times at which its results were written."""

import math
import time
from collections.abc import Mapping
from statistics import median_low
from typing import Any

import numpy as np

from higgsdemo.page.airflow_run import AirflowRun
from higgsdemo.page.snapshot import Snapshot

RATE_SECONDS = 30.0  # a rate is that of the last half minute
PARTS = 30  # of the time since the first result, in which results are counted
SLOW_TIMES = 2.0  # a dataset is slow that still takes so many times as long as the usual one
SLOW_SECONDS = 30.0  # and at least so long
SLOW_SHOWN = 3


def rate_of(dataset: str, done: int, seen: Snapshot) -> float:
    """Return a cluster's shards a second, in the last half minute, or over the whole time if it saw none."""
    finished = seen.finished.get(dataset)
    if finished is None or len(finished) < 2:
        return 0.0
    now = time.time()
    since = now - float(finished.min())
    lately = np.count_nonzero(finished > now - RATE_SECONDS)
    number, seconds = (lately, min(RATE_SECONDS, since)) if lately else (len(finished), since)
    return float(number) / max(seconds, 1.0) * done / len(finished)


def eta_of(rest: int, rate: float) -> float | None:
    """Return the seconds that are left; None where nobody knows."""
    return rest / rate if rest and rate else None


def pace(run: AirflowRun, seen: Snapshot, done: Mapping[tuple[str, str], int]) -> dict[str, Any] | None:
    """Return shards a second by cluster, in parts of equal `seconds` since the first one was finished.

    :param done: results by cluster and dataset.
    """
    times = {name: finished for name, finished in seen.finished.items() if len(finished)}
    if not times:
        return None
    first, last = min(map(np.min, times.values())), max(map(np.max, times.values()))
    span = max((last if run.ended else time.time()) - first, 1.0)
    seconds = math.ceil(span / PARTS)
    edges = first + seconds * np.arange(math.ceil(span / seconds) + 1)
    part_of = {name: np.histogram(finished, edges)[0] / len(finished) for name, finished in times.items()}
    clusters = {
        assignment.cluster.name: sum(
            part_of[ref.name] * done[assignment.cluster.name, ref.name] / seconds
            for ref in assignment.cluster.datasets
            if ref.name in times
        )
        + np.zeros(len(edges) - 1)
        for assignment in run.assignments
    }
    return {
        "seconds": seconds,
        "clusters": {name: parts.round(3).tolist() for name, parts in clusters.items()},
    }


def slow_datasets(clusters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the datasets that will end last by far, the slowest first."""
    open_ = [
        {"cluster": cluster["name"], "dataset": dataset["name"], "eta": dataset["shards"]["eta"]}
        for cluster in clusters
        for dataset in cluster["datasets"]
        if dataset["shards"]["eta"] is not None
    ]
    usual = median_low(one["eta"] for one in open_) if open_ else 0.0
    slow = [one for one in open_ if one["eta"] > max(SLOW_TIMES * usual, SLOW_SECONDS)]
    return sorted(slow, key=lambda one: -float(one["eta"]))[:SLOW_SHOWN]

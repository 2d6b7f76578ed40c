"""Make the summary of a run of its merged results, its spectrum, and what is known of its failures."""

import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime
from typing_extensions import Unpack

from higgsdemo.catalogue import Catalogue
from higgsdemo.physics.discovery import Discovery
from higgsdemo.physics.normalisation import Spectrum
from higgsdemo.physics.poisson import poisson_interval
from higgsdemo.physics.spectra import OwnSpectra
from higgsdemo.physics.yields import Yield
from higgsdemo.prediction import Account, relative_error
from higgsdemo.publication.summary import (
    DataIntervals,
    DatasetSummary,
    FailedShard,
    ShardCounts,
    Summary,
    Work,
)
from higgsdemo.results.candidates import CandidateTable
from higgsdemo.results.sums import DatasetSum
from higgsdemo.run_folder import locate, result_key

if TYPE_CHECKING:  # it imports Airflow, which takes seconds
    from higgsdemo.datasets.expected import ExpectedShards
    from higgsdemo.results.merge import Merge

FAILURES_LISTED = 1000
"""Failed shards, and corrupt objects, that a summary lists with their reasons."""

MISSING_LISTED = 100
"""Missing and unexpected shards that a summary lists by name for each dataset."""


@dataclass
class LeftOut:
    """Results that nobody expects: how many, and the first shards of each dataset."""

    number: int = 0
    first: dict[str, list[str]] = field(default_factory=dict)

    def add(self, dataset: str, key: str) -> None:
        """Count the object of that key among the results of a dataset."""
        self.number += 1
        named = self.first.setdefault(dataset, [])
        if len(named) < MISSING_LISTED:
            named.append(locate(key)[1])


class Known(TypedDict, total=False):
    """Fields of a summary that the merge does not tell."""

    discovery: Discovery | None
    candidates: CandidateTable | None
    started: AwareDatetime | None
    finished: AwareDatetime | None
    predicted: Account | None
    took: Account | None
    certified_pb: Mapping[int, float]


def summarise(
    campaign: str,
    run: str,
    catalogue: Catalogue,
    merge: "Merge",
    spectrum: Spectrum | OwnSpectra,
    clusters: Iterable[str],
    left_out: LeftOut | None = None,
    failures: Iterable[FailedShard | Mapping[str, Any]] = (),
    **known: Unpack[Known],
) -> Summary:
    """Return the summary of a run.

    A shard with a result is done whatever `failures` says; one whose result is not a valid document is
    failed.

    Shards that the spectrum expects beyond the listed ones are missing from the run as a whole.

    :param clusters: those of the run, of which one without a list has no shard.
    :param left_out: shards that have results, though nobody expects them.
    """
    failed, left_out, sums = _failures(merge, failures), left_out or LeftOut(), merge.datasets
    yields = spectrum.yields()
    return Summary(
        campaign=campaign,
        run=run,
        catalogue=catalogue.name,
        title=catalogue.title,
        note=catalogue.note,
        coverage=spectrum.coverage,
        work=_work(sums.values()),
        yields=yields,
        yields_by_year=spectrum.yields_by_year(),
        data_intervals={channel: _intervals(found) for channel, found in yields.get("data", {}).items()},
        higgs_peak_gev=spectrum.peak("higgs"),
        luminosity=spectrum.exposures,
        stated_luminosity_pb=_stated_luminosity(sums.values()),
        weights=spectrum.weights,
        absent_samples=list(spectrum.absent),
        lacking=spectrum.lacking,
        unassigned={name: _selected(total) for name, total in sums.items() if name in spectrum.unassigned},
        failures=failed[:FAILURES_LISTED],
        left_out=left_out.number,
        unexpected=left_out.first,
        corrupt=dict(islice(merge.corrupt.items(), FAILURES_LISTED)),
        prediction_error=relative_error(known.get("predicted"), known.get("took")),
        **_shards(catalogue, merge, spectrum, clusters, failed),
        **known,
    )


def _shards(
    catalogue: Catalogue,
    merge: "Merge",
    spectrum: Spectrum | OwnSpectra,
    clusters: Iterable[str],
    failed: Iterable[FailedShard],
) -> dict[str, Any]:
    """Return the fields that tell what became of the shards of the run, of its clusters and its datasets."""
    expected, sums = merge.expected, merge.datasets
    lost = {(failure.dataset, failure.shard) for failure in failed}
    of_dataset, of_cluster = _lost(expected, lost)
    counts = {
        dataset: _counts(listed, counted, of_dataset[dataset])
        for dataset, (listed, counted) in expected.datasets().items()
    }
    missing = {dataset: _missing(expected, dataset, lost) for dataset in counts}
    return {
        "shards": _whole(counts.values(), spectrum),
        "clusters": {
            cluster: _counts(
                expected.clusters.get(cluster, Counter()).total(),
                expected.counted.get(cluster, Counter()).total(),
                of_cluster[cluster],
            )
            for cluster in clusters
        },
        "datasets": {
            dataset: _dataset_summary(dataset, catalogue, shards, sums.get(dataset))
            for dataset, shards in counts.items()
        },
        "missing": {dataset: shards for dataset, shards in missing.items() if shards},
    }


def _selected(total: DatasetSum) -> dict[str, int | float]:
    """Return the selected events of a dataset by channel, or what they weigh by histogram."""
    return {name: _entries(bins) for name, bins in (total.counts or total.weights.sums).items()}


def _entries(bins: NDArray[Any]) -> int | float:
    total = float(bins.sum())
    return int(total) if total.is_integer() else total


def _intervals(counted: Yield) -> DataIntervals:

    low, high = poisson_interval(np.array([counted.total, counted.window]))
    return DataIntervals(total=(low[0], high[0]), window=(low[1], high[1]))


def _failures(merge: "Merge", failures: Iterable[FailedShard | Mapping[str, Any]]) -> list[FailedShard]:
    """Return the failures of shards without a result, each once, by cluster, dataset and shard."""
    corrupt = (
        FailedShard(cluster=cluster, dataset=dataset, shard=shard, reason=reason)
        for key, reason in merge.corrupt.items()
        for dataset, shard in [locate(key)]
        if (listed := merge.expected.find(key))
        for cluster in listed.clusters
    )
    found: dict[tuple[str, str], FailedShard] = {}
    for failure in (*map(FailedShard.model_validate, failures), *corrupt):
        listed = merge.expected.find(result_key(failure.dataset, failure.shard))
        if not (listed and listed.counted):
            found[failure.dataset, failure.shard] = failure
    return sorted(found.values(), key=lambda failure: (failure.cluster, failure.dataset, failure.shard))


def _lost(expected: "ExpectedShards", lost: Iterable[tuple[str, str]]) -> tuple[Counter[str], Counter[str]]:
    """Count the failed shards that are listed, by dataset and by cluster."""
    datasets, clusters = Counter[str](), Counter[str]()
    for dataset, shard in lost:
        if listed := expected.find(result_key(dataset, shard)):
            datasets[dataset] += 1
            clusters.update(listed.clusters)
    return datasets, clusters


def _missing(expected: "ExpectedShards", dataset: str, lost: Container[tuple[str, str]]) -> list[str]:
    """Return the first shards of a dataset that lack both a result and a reason."""
    names = (name for name, _ in groupby(expected.uncounted(dataset), key=itemgetter(0)))
    return list(islice((name for name in names if (dataset, name) not in lost), MISSING_LISTED))


def _counts(listed: int, done: int, failed: int) -> ShardCounts:
    return ShardCounts(expected=listed, done=done, failed=failed, missing=listed - done - failed)


def _whole(listed: Iterable[ShardCounts], spectrum: Spectrum | OwnSpectra) -> ShardCounts:
    """Count the run's shards: the listed ones, and those of datasets that were never listed."""
    parts = list(listed)
    expected, done, failed, missing = (
        sum(getattr(part, name) for part in parts) for name in ("expected", "done", "failed", "missing")
    )
    unlisted = max(spectrum.shards_expected - expected, 0)
    return ShardCounts(expected=expected + unlisted, done=done, failed=failed, missing=missing + unlisted)


def _dataset_summary(
    name: str, catalogue: Catalogue, counts: ShardCounts, total: DatasetSum | None
) -> DatasetSummary:
    dataset = catalogue.datasets.get(name)
    return DatasetSummary(
        sample=dataset.sample.name if dataset else None,
        group=dataset.sample.group if dataset else None,
        shards=counts,
        work=_work([total] if total else []),
    )


def _work(sums: Iterable[DatasetSum]) -> Work:
    parts = list(sums)
    return Work(
        events=sum(part.processed for part in parts),
        checked_events=sum(part.checked for part in parts),
        certified_events=sum(part.certified for part in parts),
        bytes=sum(part.bytes for part in parts),
        stage_in_seconds=math.fsum(part.seconds["stage_in"] for part in parts),
        compute_seconds=math.fsum(part.seconds["compute"] for part in parts),
        test_mode_shards=sum(part.shards - part.computed for part in parts),
    )


def _stated_luminosity(sums: Iterable[DatasetSum]) -> dict[str, float]:
    """Return 1/pb by stream; the shards state it in 1/ub."""
    stated = [(stream, value) for part in sums for stream, value in part.luminosity.items()]
    return {
        stream: math.fsum(value for name, value in stated if name == stream) / 1e6
        for stream in sorted({name for name, _ in stated})
    }

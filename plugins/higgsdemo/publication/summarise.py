"""Make the summary of a run of its merged results, its spectrum, and what is known of its failures."""

import math
from collections.abc import Iterable, Mapping
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime

from higgsdemo.catalogue import Catalogue
from higgsdemo.physics.discovery import Discovery
from higgsdemo.physics.normalisation import Spectrum
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
from higgsdemo.run_folder import locate

if TYPE_CHECKING:  # it imports Airflow, which takes seconds
    from higgsdemo.results.merge import Merge, Names

FAILURES_LISTED = 1000
"""Failed shards, and corrupt objects, that a summary lists with their reasons."""

MISSING_LISTED = 100
"""Missing and unexpected shards that a summary lists by name for each dataset."""


def summarise(
    campaign: str,
    run: str,
    catalogue: Catalogue,
    merge: "Merge",
    spectrum: Spectrum | OwnSpectra,
    expected: Mapping[str, "Names"],
    left_out: "Names" = MappingProxyType({}),
    failures: Iterable[FailedShard | Mapping[str, Any]] = (),
    discovery: Discovery | None = None,
    candidates: CandidateTable | None = None,
    started: AwareDatetime | None = None,
    finished: AwareDatetime | None = None,
    predicted: Account | None = None,
    took: Account | None = None,
    certified_pb: Mapping[int, float] = MappingProxyType({}),
) -> Summary:
    """Return the summary of a run.

    A shard with a result is done whatever `failures` says; one whose result is not a valid document is
    failed.

    :param expected: names of each cluster's shards by dataset; shards that the spectrum expects beyond those
        were never listed, and are missing from the run as a whole.
    :param left_out: other shards that have results.
    :param certified_pb: luminosity of all certified sections by year.
    """
    failed = _failures(merge, expected, failures)
    lost = {(failure.dataset, failure.shard) for failure in failed}
    sums = merge.datasets
    yields = spectrum.yields()
    counts, missing = dict[str, ShardCounts](), dict[str, list[str]]()
    for dataset in sorted({dataset for names in expected.values() for dataset in names}):
        names = {dataset: set().union(*(of.get(dataset, ()) for of in expected.values()))}  # of one at a time
        counts[dataset] = _count(names, merge, lost)
        left = merge.missing(names).get(dataset, ())
        missing[dataset] = [shard for shard in left if (dataset, shard) not in lost][:MISSING_LISTED]
    return Summary(
        campaign=campaign,
        run=run,
        catalogue=catalogue.name,
        title=catalogue.title,
        note=catalogue.note,
        started=started,
        finished=finished,
        shards=_whole(counts.values(), spectrum),
        coverage=spectrum.coverage,
        work=_work(sums.values()),
        yields=yields,
        yields_by_year=spectrum.yields_by_year(),
        data_intervals={channel: _intervals(found) for channel, found in yields.get("data", {}).items()},
        discovery=discovery,
        candidates=candidates,
        higgs_peak_gev=spectrum.peak("higgs"),
        luminosity=spectrum.exposures,
        certified_pb=dict(certified_pb),
        stated_luminosity_pb=_stated_luminosity(sums.values()),
        weights=spectrum.weights,
        absent_samples=list(spectrum.absent),
        lacking=spectrum.lacking,
        unassigned={
            dataset: {name: _entries(bins) for name, bins in (total.counts or total.weights.sums).items()}
            for dataset, total in sums.items()
            if dataset in spectrum.unassigned
        },
        clusters={cluster: _count(names, merge, lost) for cluster, names in expected.items()},
        datasets={
            dataset: _dataset_summary(dataset, catalogue, of_dataset, sums.get(dataset))
            for dataset, of_dataset in counts.items()
        },
        failures=failed[:FAILURES_LISTED],
        missing={dataset: shards for dataset, shards in missing.items() if shards},
        left_out=sum(map(len, left_out.values())),
        unexpected={dataset: sorted(shards)[:MISSING_LISTED] for dataset, shards in left_out.items()},
        corrupt=dict(islice(merge.corrupt.items(), FAILURES_LISTED)),
        predicted=predicted,
        took=took,
        prediction_error=relative_error(predicted, took),
    )


def _entries(bins: NDArray[Any]) -> int | float:
    total = float(bins.sum())
    return int(total) if total.is_integer() else total


def _intervals(counted: Yield) -> DataIntervals:
    from hist.intervals import poisson_interval  # of scipy, which takes a second; who reads needs none

    low, high = poisson_interval(np.array([counted.total, counted.window]))
    return DataIntervals(total=(low[0], high[0]), window=(low[1], high[1]))


def _failures(
    merge: "Merge", expected: Mapping[str, "Names"], failures: Iterable[FailedShard | Mapping[str, Any]]
) -> list[FailedShard]:
    """Return the failures of shards without a result, each once, by cluster, dataset and shard."""
    corrupt = (
        FailedShard(cluster=cluster, dataset=dataset, shard=shard, reason=reason)
        for key, reason in merge.corrupt.items()
        for dataset, shard in [locate(key)]
        for cluster, names in expected.items()
        if shard in names.get(dataset, ())
    )
    done = merge.shards
    found: dict[tuple[str, str], FailedShard] = {}
    for failure in (*map(FailedShard.model_validate, failures), *corrupt):
        if failure.shard not in done.get(failure.dataset, ()):
            found[failure.dataset, failure.shard] = failure
    return sorted(found.values(), key=lambda failure: (failure.cluster, failure.dataset, failure.shard))


def _count(expected: "Names", merge: "Merge", lost: set[tuple[str, str]]) -> ShardCounts:
    remaining = [(dataset, shard) for dataset, shards in merge.missing(expected).items() for shard in shards]
    failed = sum(shard in lost for shard in remaining)
    total = sum(len(set(shards)) for shards in expected.values())
    return ShardCounts(
        expected=total, done=total - len(remaining), failed=failed, missing=len(remaining) - failed
    )


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

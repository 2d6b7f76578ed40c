"""From counts to events: the weights of the simulated samples, and the spectra that plot and yields show.

The weight of an event of a simulated sample is

    luminosity × cross section × scale factor / processed events        (1/pb × pb × 1 / 1)

as in the CMS example HiggsExample20112012 (CERN Open Data record 5500), with the processed events counted by
the campaign itself, so that a sample of which shards are missing is still normalised. Data have weight 1.

Of a partial campaign the simulation is scaled to the luminosity that the merged data cover, so that the stack
remains the prediction for the points drawn over it. The covered luminosity is counted for each year and
channel apart, since muon and electron triggers are datasets of their own: the catalogue's luminosity of the
year, times the data shards computed, divided by those there are. A campaign that asks for no data at all is
scaled to the whole luminosity: it is a prediction for all the data.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from math import fsum, hypot, sqrt
from typing import TYPE_CHECKING, Any, Protocol

import hist
import numpy as np
from numpy.typing import NDArray

from higgsdemo.merge import DatasetSum
from higgsdemo.results import BINS, CHANNELS, HIGH, LOW

if TYPE_CHECKING:
    from higgsdemo.catalogue import Catalogue, Sample

GROUPS = ("data", "higgs", "zz", "dy", "ttbar")
WINDOW = (121.0, 130.0)
"""The signal window in GeV; its edges are bin edges."""

Histogram = hist.Hist[hist.storage.Weight]
Counts = Mapping[str, NDArray[np.int64]]
"""Selected events in the 37 bins, by channel."""


class Sums(Protocol):
    """What is normalised: a merge, or whatever else adds up results by dataset."""

    @property
    def datasets(self) -> Mapping[str, DatasetSum]:
        """The sums by dataset."""


class NormalisationError(ValueError):
    """The catalogue lacks what a sample's weight is made from; the message names the sample and the field."""


@dataclass(frozen=True)
class Exposure:
    """A year's luminosity in 1/pb in a channel: all there is, and what the merged data cover of it."""

    year: int
    channel: str
    full_pb: float
    covered_pb: float


@dataclass(frozen=True)
class Yield:
    """Events, with their statistical standard deviation, in 70 to 181 GeV and in the signal window."""

    total: float
    total_error: float
    window: float
    window_error: float

    @classmethod
    def sum(cls, parts: Iterable[Yield]) -> Yield:
        """The sum of independent yields: errors add in quadrature."""
        total, total_error, window, window_error = zip(*map(astuple, parts), strict=True)
        return cls(fsum(total), hypot(*total_error), fsum(window), hypot(*window_error))


@dataclass(frozen=True)
class Spectrum:
    """The four-lepton mass spectra of a campaign."""

    groups: dict[str, dict[str, Histogram]]
    """Events by group and channel, with the sums of squared weights as variances."""
    unassigned: dict[str, dict[str, Histogram]]
    """Unweighted events by channel of the datasets that the catalogue does not know; in no group."""
    exposures: tuple[Exposure, ...]
    weights: dict[str, dict[str, float]]
    """The weight of an event by simulated sample and channel."""
    absent: tuple[str, ...]
    """Samples the campaign asked for and of which no event was processed: they are missing in the stack."""
    shards_computed: int
    shards_expected: int

    @property
    def coverage(self) -> float:
        """The computed part of the expected shards, 0 to 1."""
        return self.shards_computed / self.shards_expected if self.shards_expected else 0.0

    def combined(self, group: str) -> Histogram:
        """The group's spectrum over all channels."""
        parts = self.groups[group].values()
        return _histogram(
            sum((np.asarray(part.values()) for part in parts), np.zeros(BINS)),
            sum((np.asarray(part.variances()) for part in parts), np.zeros(BINS)),
        )

    def yields(self) -> dict[str, dict[str, Yield]]:
        """Yields by group and channel; channel `all` is their sum."""
        return {
            group: {channel: _yield(h) for channel, h in {**channels, "all": self.combined(group)}.items()}
            for group, channels in self.groups.items()
        }

    def peak(self, group: str) -> tuple[float, float] | None:
        """Edges in GeV of the group's highest bin (the lowest of equals); None when the group is empty."""
        values = self.combined(group).values()
        if not values.any():
            return None
        low, high = self.combined(group).axes[0][int(np.argmax(values))]
        return float(low), float(high)


def normalise(merge: Sums, catalogue: Catalogue, expected: Mapping[str, int]) -> Spectrum:
    """The spectra of the merged shards; `expected` is the number of shards of the campaign by dataset.

    Raises NormalisationError when a simulated sample cannot be weighted for want of a field of the catalogue.
    """
    sums = merge.datasets
    samples = _by_sample(sums, catalogue)
    exposures = _exposures(sums, catalogue, expected)
    weights = {
        name: _weights(catalogue.samples[name], samples, catalogue, exposures)
        for name, total in samples.items()
        if catalogue.samples[name].datatype == "mc" and total.processed
    }
    groups = {
        group: {channel: _weighted(group, channel, samples, weights, catalogue) for channel in CHANNELS}
        for group in GROUPS
    }
    asked = {catalogue.datasets[name].sample.name for name in expected if name in catalogue.datasets}
    return Spectrum(
        groups=groups,
        unassigned={
            name: {channel: _histogram(counts, counts) for channel, counts in total.counts.items()}
            for name, total in sums.items()
            if name not in catalogue.datasets
        },
        exposures=exposures,
        weights=weights,
        absent=tuple(sorted(name for name in asked if name not in samples or not samples[name].processed)),
        shards_computed=sum(min(sums[n].computed, shards) for n, shards in expected.items() if n in sums),
        shards_expected=sum(expected.values()),
    )


@dataclass(frozen=True)
class _SampleSum:
    processed: int
    counts: Counts


def _by_sample(sums: Mapping[str, DatasetSum], catalogue: Catalogue) -> dict[str, _SampleSum]:
    members: dict[str, list[DatasetSum]] = defaultdict(list)
    for name, total in sums.items():
        if name in catalogue.datasets:
            members[catalogue.datasets[name].sample.name].append(total)
    return {
        sample: _SampleSum(
            processed=sum(total.processed for total in totals),
            counts={channel: sum((t.counts[channel] for t in totals), _no_counts()) for channel in CHANNELS},
        )
        for sample, totals in sorted(members.items())
    }


def _exposures(
    sums: Mapping[str, DatasetSum], catalogue: Catalogue, expected: Mapping[str, int]
) -> tuple[Exposure, ...]:
    """The covered luminosity of each year and channel.

    A dataset has as many shards as the catalogue has files of it, or as were listed where that is more.
    """
    data = [dataset for dataset in catalogue.datasets.values() if dataset.sample.datatype == "data"]
    asked = any(dataset.name in expected for dataset in data)

    def fraction(year: int, channel: str) -> float:
        if not asked:
            return 1.0
        feeding = [d for d in data if d.sample.year == year and channel in d.sample.channels]
        shards = sum(max(dataset.files, expected.get(dataset.name, 0)) for dataset in feeding)
        computed = sum(sums[dataset.name].computed for dataset in feeding if dataset.name in sums)
        return min(computed / shards, 1.0) if shards else 0.0

    return tuple(
        Exposure(year, channel, full_pb, full_pb * fraction(year, channel))
        for year, full_pb in sorted(catalogue.luminosity_pb.items())
        for channel in CHANNELS
    )


def _weights(
    sample: Sample, samples: Mapping[str, _SampleSum], catalogue: Catalogue, exposures: Iterable[Exposure]
) -> dict[str, float]:
    """The weight of an event of the sample in each of its channels."""
    if sample.year not in catalogue.luminosity_pb:
        raise NormalisationError(
            f"catalogue {catalogue.name}: no luminosity for {sample.year}, the year of sample {sample.name}; "
            f"luminosity_pb has {', '.join(map(str, sorted(catalogue.luminosity_pb)))}"
        )
    if sample.cross_section_pb is None:
        raise NormalisationError(f"catalogue {catalogue.name}: sample {sample.name} has no cross_section_pb")
    scale_factor = 1.0 if sample.scale_factor is None else sample.scale_factor
    processed = sum(
        total.processed
        for name, total in samples.items()
        if _process(catalogue.samples[name]) == _process(sample)
    )
    return {
        exposure.channel: exposure.covered_pb * sample.cross_section_pb * scale_factor / processed
        for exposure in exposures
        if exposure.year == sample.year and exposure.channel in sample.channels
    }


def _process(sample: Sample) -> tuple[object, ...]:
    """What is normalised as one.

    A catalogue may cut one simulated process into several samples, as the HT slices of the 2012 Drell-Yan
    process of 10 to 50 GeV: each then bears the cross section and the generated events of the whole, and the
    processed events of all of them share the one cross section. Each on its own, they would count it twice.
    """
    if sample.generated_events is None:
        return (sample.name,)
    return sample.group, sample.year, sample.channels, sample.cross_section_pb, sample.generated_events


def _no_counts() -> NDArray[np.int64]:
    return np.zeros(BINS, dtype=np.int64)


def _weighted(
    group: str,
    channel: str,
    samples: Mapping[str, _SampleSum],
    weights: Mapping[str, Mapping[str, float]],
    catalogue: Catalogue,
) -> Histogram:
    """Weighted events of a group in a channel: the samples of the group that fill the channel."""
    values, variances = np.zeros(BINS), np.zeros(BINS)
    for name, total in samples.items():
        sample = catalogue.samples[name]
        if sample.group == group and channel in sample.channels:
            weight = 1.0 if sample.datatype == "data" else weights.get(name, {}).get(channel, 0.0)
            values += weight * total.counts[channel]
            variances += weight**2 * total.counts[channel]
    return _histogram(values, variances)


def _histogram(values: NDArray[Any], variances: NDArray[Any]) -> Histogram:
    edges = np.linspace(LOW, HIGH, BINS + 1)  # exact, which those of a regular axis are not
    axis = hist.axis.Variable(edges, name="mass", label="Four-lepton mass [GeV]")
    return hist.Hist(axis, storage=hist.storage.Weight(), data=np.stack([values, variances], axis=-1))


def _yield(histogram: Histogram) -> Yield:
    low, high = (histogram.axes[0].index(edge) for edge in WINDOW)
    values, variances = np.asarray(histogram.values()), np.asarray(histogram.variances())
    return Yield(
        total=fsum(values),
        total_error=sqrt(fsum(variances)),
        window=fsum(values[low:high]),
        window_error=sqrt(fsum(variances[low:high])),
    )

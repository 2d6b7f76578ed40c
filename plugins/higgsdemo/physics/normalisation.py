"""From counts to events: the weights of the simulated samples, and the spectra that plot and yields show.

The weight of an event of a simulated sample is

    luminosity × cross section × scale factor / processed events        (1/pb × pb × 1 / 1)

as in the CMS example HiggsExample20112012 (CERN Open Data record 5500), with the processed events counted by
the campaign itself, so that a sample of which shards are missing is still normalised. Where the generator
weighs its events, the sums of these weights stand for the numbers of events. Data have weight 1.

The luminosity is the one that the merged data cover (`higgsdemo.physics.exposure`).
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

from higgsdemo.physics.exposure import Exposure, exposures
from higgsdemo.results.document import BINS, CHANNELS, HIGH, LOW
from higgsdemo.results.sums import DatasetSum, WeightSum

if TYPE_CHECKING:
    from higgsdemo.catalogue import Catalogue, Sample

GROUPS = ("data", "higgs", "zz", "dy", "ttbar")
WINDOW = (121.0, 130.0)
"""The signal window in GeV; its edges are bin edges."""

Histogram = hist.Hist[hist.storage.Weight]
Groups = dict[str, dict[str, Histogram]]
"""Events by group and channel, with the sums of squared weights as variances."""


class Sums(Protocol):
    """What is normalised: a merge, or whatever else adds up results by dataset."""

    @property
    def datasets(self) -> Mapping[str, DatasetSum]:
        """The sums by dataset."""


class NormalisationError(ValueError):
    """The catalogue lacks what a sample's weight is made from; the message names the sample and the field."""


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


Yields = dict[str, dict[str, Yield]]
"""Yields by group and channel; channel `all` is their sum."""


@dataclass(frozen=True)
class Spectrum:
    """The four-lepton mass spectra of a campaign."""

    years: dict[int, Groups]
    """Events of each year's data, and of the samples that simulate it."""
    groups: Groups
    """Events of all years."""
    unassigned: dict[str, dict[str, Histogram]]
    """Unweighted events by channel of the datasets that the catalogue does not know; in no group."""
    exposures: tuple[Exposure, ...]
    weights: dict[str, dict[str, float]]
    """The weight of an event by simulated sample and channel."""
    observed: bool
    """Whether any event of data was processed."""
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
        return _added(self.groups[group].values())

    def yields(self) -> Yields:
        """Yields of all years."""
        return _yields(self.groups)

    def yields_by_year(self) -> dict[int, Yields]:
        """Yields of each year."""
        return {year: _yields(groups) for year, groups in self.years.items()}

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
    covered = exposures(sums, catalogue, expected)
    weights = {
        name: _weights(catalogue.samples[name], samples, catalogue, covered)
        for name, total in samples.items()
        if catalogue.samples[name].datatype == "mc" and total.processed
    }
    years = {year: _groups(year, samples, weights, catalogue) for year in sorted(catalogue.luminosity_pb)}
    asked = {catalogue.datasets[name].sample.name for name in expected if name in catalogue.datasets}
    return Spectrum(
        years=years,
        groups={
            group: {channel: _added(year[group][channel] for year in years.values()) for channel in CHANNELS}
            for group in GROUPS
        },
        unassigned={
            name: {channel: _histogram(counts, counts) for channel, counts in total.counts.items()}
            for name, total in sums.items()
            if name not in catalogue.datasets
        },
        exposures=covered,
        weights=weights,
        observed=any(total.processed for name, total in samples.items() if name not in weights),
        absent=tuple(sorted(name for name in asked if name not in samples or not samples[name].processed)),
        shards_computed=sum(min(sums[n].computed, shards) for n, shards in expected.items() if n in sums),
        shards_expected=sum(expected.values()),
    )


def _by_sample(sums: Mapping[str, DatasetSum], catalogue: Catalogue) -> dict[str, WeightSum]:
    members: dict[str, list[WeightSum]] = defaultdict(list)
    for name, total in sums.items():
        if name in catalogue.datasets:
            members[catalogue.datasets[name].sample.name].append(total.weights)
    return {
        sample: WeightSum(
            processed=fsum(total.processed for total in totals),
            sums={channel: sum((t.sums[channel] for t in totals), np.zeros(BINS)) for channel in CHANNELS},
            squares={
                channel: sum((t.squares[channel] for t in totals), np.zeros(BINS)) for channel in CHANNELS
            },
        )
        for sample, totals in sorted(members.items())
    }


def _weights(
    sample: Sample, samples: Mapping[str, WeightSum], catalogue: Catalogue, exposures: Iterable[Exposure]
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


def _groups(
    year: int,
    samples: Mapping[str, WeightSum],
    weights: Mapping[str, Mapping[str, float]],
    catalogue: Catalogue,
) -> Groups:
    """Weighted events of a year's samples, each in the channels that it fills."""
    events = {group: {channel: _histogram() for channel in CHANNELS} for group in GROUPS}
    for name, total in samples.items():
        sample = catalogue.samples[name]
        for channel in sample.channels if sample.year == year else ():
            weight = 1.0 if sample.datatype == "data" else weights.get(name, {}).get(channel, 0.0)
            part = _histogram(weight * total.sums[channel], weight**2 * total.squares[channel])
            events[sample.group][channel] = _added([events[sample.group][channel], part])
    return events


def _added(histograms: Iterable[Histogram]) -> Histogram:
    parts = list(histograms)
    return _histogram(
        sum((np.asarray(part.values()) for part in parts), np.zeros(BINS)),
        sum((np.asarray(part.variances()) for part in parts), np.zeros(BINS)),
    )


_NOTHING = np.zeros(BINS)


def _histogram(values: NDArray[Any] = _NOTHING, variances: NDArray[Any] = _NOTHING) -> Histogram:
    edges = np.linspace(LOW, HIGH, BINS + 1)  # exact, which those of a regular axis are not
    axis = hist.axis.Variable(edges, name="mass", label="Four-lepton mass [GeV]")
    return hist.Hist(axis, storage=hist.storage.Weight(), data=np.stack([values, variances], axis=-1))


def _yields(groups: Groups) -> Yields:
    return {
        group: {channel: _yield(h) for channel, h in {**channels, "all": _added(channels.values())}.items()}
        for group, channels in groups.items()
    }


def _yield(histogram: Histogram) -> Yield:
    low, high = (histogram.axes[0].index(edge) for edge in WINDOW)
    values, variances = np.asarray(histogram.values()), np.asarray(histogram.variances())
    return Yield(
        total=fsum(values),
        total_error=sqrt(fsum(variances)),
        window=fsum(values[low:high]),
        window_error=sqrt(fsum(variances[low:high])),
    )

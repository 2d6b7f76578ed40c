"""From counts to events: the weights of simulated samples, and the spectra for plot and yields.

The weight of an event of a simulated sample is

    luminosity × cross section × scale factor / processed events        (1/pb × pb × 1 / 1)

as in the CMS example HiggsExample20112012 (CERN Open Data record 5500). The campaign counts the processed
events itself, so a sample with missing shards is still normalised. Where the generator weights its events,
the sums of these weights stand for the numbers of events. Data have weight 1.

The luminosity is the one that the merged data cover (`higgsdemo.physics.exposure`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import fsum, sqrt

import numpy as np
from numpy.typing import NDArray

from higgsdemo.catalogue import Catalogue, Sample
from higgsdemo.physics.coverage import Coverage, certified_events, computed_shards, lacking_branches
from higgsdemo.physics.exposure import Exposure, exposures
from higgsdemo.physics.yields import (
    Groups,
    Histogram,
    Yields,
    add_groups,
    add_histograms,
    make_histogram,
    yields_of,
)
from higgsdemo.results.document import BINS, CHANNELS
from higgsdemo.results.sums import DatasetSum, SumsByDataset, WeightSum

UNSEEN = 1.841
"""The upper end of the central 68% (Garwood) interval of no event: of so many 16% see none."""

RESIDUE, LEAST = 1e-6, 1e-100
"""Of the weight of one event, and of all: more than rounding leaves of weights that add up to nothing."""


@dataclass(frozen=True)
class Spectrum(Coverage):
    """The four-lepton mass spectra of a campaign."""

    years: dict[int, Groups]
    """Events of each year's data, and of the samples that simulate it."""
    unassigned: dict[str, dict[str, Histogram]]
    """Unweighted events by channel of datasets that the catalogue does not know; in no group."""
    weights: dict[str, dict[str, float]]
    """The weight of an event by simulated sample and channel."""
    entries: Counter[tuple[int, str, str]]
    """Unweighted events by year, group and channel."""
    unseen: dict[int, dict[str, dict[str, NDArray[np.float64]]]]
    """By year, group and channel: in each bin, Σ (`UNSEEN` × weight)² of samples without an event there."""

    @property
    def observed(self) -> bool:
        """Whether any event of data was processed."""
        return "data" in self.groups

    @cached_property
    def groups(self) -> Groups:
        """Events of all years."""
        return add_groups(self.years.values())

    def combined(self, group: str, channels: Iterable[str] = CHANNELS) -> Histogram:
        """Return the group's spectrum over some or all channels; empty where no event was processed."""
        of_group = self.groups.get(group, {})
        return add_histograms(of_group[channel] for channel in channels if channel in of_group)

    def yields(self) -> Yields:
        """Return the yields of all years."""
        return yields_of(self.groups)

    def yields_by_year(self) -> dict[int, Yields]:
        """Return the yields of each year."""
        return {year: yields_of(groups) for year, groups in self.years.items()}

    def peak(self, group: str) -> tuple[float, float] | None:
        """Return the edges in GeV of the group's highest bin; None for an empty group."""
        values = self.combined(group).values()
        if not values.any():
            return None
        low, high = self.combined(group).axes[0][int(np.argmax(values))]
        return float(low), float(high)


def normalise(sums: SumsByDataset, catalogue: Catalogue, expected: Mapping[str, int]) -> Spectrum:
    """Return the spectra of the merged shards; `expected` counts the campaign's shards by dataset."""
    samples = _by_sample(sums, catalogue)
    covered = exposures(sums, catalogue, expected)
    shares = _shares(samples, sums, catalogue, expected)
    weights = {
        name: _weights(catalogue.samples[name], total.processed / shares[name], covered)
        for name, total in samples.items()
        if catalogue.samples[name].datatype == "mc"
    }
    years = {year: _groups(year, samples, weights, catalogue) for year in sorted(catalogue.luminosity_pb)}
    ones = {name: _weight_of_one(name, sums, catalogue) for name in weights}
    processed = {
        known.sample.name
        for name, known in catalogue.datasets.items()
        if name in sums and sums[name].processed
    }
    asked = {catalogue.datasets[name].sample.name for name in expected if name in catalogue.datasets}
    covering = {(one.year, one.channel) for one in covered if one.covered_pb}
    stacked = {
        name
        for name, sample in catalogue.samples.items()
        if sample.datatype == "mc" and any((sample.year, channel) in covering for channel in sample.channels)
    }
    return Spectrum(
        years=years,
        unassigned={
            name: {channel: make_histogram(counts, counts) for channel, counts in total.counts.items()}
            for name, total in sums.items()
            if name not in catalogue.datasets
        },
        exposures=covered,
        weights=weights,
        entries=_entries(sums, catalogue),
        unseen={year: _unseen(year, samples, weights, ones, catalogue) for year in years},
        absent=tuple(sorted((asked | stacked) - samples.keys())),
        weightless=tuple(sorted(processed - samples.keys())),
        lacking=lacking_branches(sums, catalogue),
        certified=certified_events(sums),
        shards_computed=computed_shards(sums, expected),
        shards_expected=sum(expected.values()),
    )


def _by_sample(sums: Mapping[str, DatasetSum], catalogue: Catalogue) -> dict[str, WeightSum]:
    """Add up the sums by sample, of samples with processed events whose weights add up to something."""
    members: dict[str, list[WeightSum]] = defaultdict(list)
    for name, total in sums.items():
        if name in catalogue.datasets:
            members[catalogue.datasets[name].sample.name].append(total.weights)
    return {
        sample: WeightSum(
            processed=processed,
            sums={channel: sum((t.sums[channel] for t in totals), np.zeros(BINS)) for channel in CHANNELS},
            squares={
                channel: sum((t.squares[channel] for t in totals), np.zeros(BINS)) for channel in CHANNELS
            },
        )
        for sample, totals in sorted(members.items())
        if (processed := fsum(total.processed for total in totals)) > LEAST
        and processed > RESIDUE * _weight_of_one(sample, sums, catalogue)
    }


def _weights(sample: Sample, processed: float, exposures: Iterable[Exposure]) -> dict[str, float]:
    """Return the weight of an event of the sample by channel, for so many processed events of its process."""
    cross_section = (sample.cross_section_pb or 0.0) * (sample.scale_factor or 1.0)
    return {
        exposure.channel: exposure.covered_pb * cross_section / processed
        for exposure in exposures
        if exposure.year == sample.year and exposure.channel in sample.channels
    }


def _shares(
    samples: Mapping[str, WeightSum],
    sums: Mapping[str, DatasetSum],
    catalogue: Catalogue,
    expected: Mapping[str, int],
) -> dict[str, float]:
    """Return each sample's part of its process' cross section: its part of the process' events.

    A sample with missing shards counts with as many events as all of its shards would have, one without any
    shard with as many as so many files of the others.
    """
    shards, computed = Counter[str](), Counter[str]()
    for name, dataset in catalogue.datasets.items():
        shards[dataset.sample.name] += max(dataset.files, expected.get(name, 0))
        computed[dataset.sample.name] += sums[name].computed if name in sums else 0
    events = {n: total.processed * shards[n] / max(computed[n], 1) for n, total in samples.items()}
    shares = {}
    for name in samples:
        process = _process(catalogue.samples[name])
        slices = {one.name: one.files for one in catalogue.samples.values() if _process(one) == process}
        found = [slice for slice in slices if slice in events]
        a_file = fsum(events[slice] for slice in found) / sum(slices[slice] for slice in found)
        whole = fsum(events.get(slice, a_file * files) for slice, files in slices.items())
        shares[name] = events[name] / whole
    return shares


def _process(sample: Sample) -> tuple[object, ...]:
    """Return what is normalised as one.

    A catalogue may cut one simulated process into several samples, such as the HT slices of the 2012
    Drell-Yan process of 10 to 50 GeV. Each is listed with the cross section and generated events of the
    whole, and they share the one cross section; each on its own would count it twice.
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
    """Return the weighted events of a year's samples, each in the channels that it fills."""
    parts: list[Groups] = []
    for name, total in samples.items():
        sample = catalogue.samples[name]
        for channel in sample.channels if sample.year == year else ():
            weight = weights[name][channel] if sample.datatype == "mc" else 1.0
            part = make_histogram(weight * total.sums[channel], weight**2 * total.squares[channel])
            parts.append({sample.group: {channel: part}})
    return add_groups(parts)


def _entries(sums: SumsByDataset, catalogue: Catalogue) -> Counter[tuple[int, str, str]]:
    entries = Counter[tuple[int, str, str]]()
    for name, known in catalogue.datasets.items():
        for channel in known.sample.channels if name in sums else ():
            place = known.sample.year, known.sample.group, channel
            entries[place] += int(sums[name].counts[channel].sum())
    return entries


def _unseen(
    year: int,
    samples: Mapping[str, WeightSum],
    weights: Mapping[str, Mapping[str, float]],
    ones: Mapping[str, float],
    catalogue: Catalogue,
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return the variance of a year's groups and channels in bins where samples have no event."""
    found: dict[str, dict[str, NDArray[np.float64]]] = defaultdict(
        lambda: defaultdict(lambda: np.zeros(BINS))
    )
    for name, one in ones.items():
        sample = catalogue.samples[name]
        for channel in sample.channels if sample.year == year else ():
            bound = UNSEEN * one * weights[name][channel]
            found[sample.group][channel] += np.where(samples[name].squares[channel], 0.0, bound**2)
    return found


def _weight_of_one(name: str, sums: SumsByDataset, catalogue: Catalogue) -> float:
    """Return what the generator's weight of an event is: of the selected ones, of all if there is none."""
    totals = [sums[n] for n, known in catalogue.datasets.items() if n in sums and known.sample.name == name]
    counts = sum(int(of.sum()) for total in totals for of in total.counts.values())
    squares = fsum(of.sum() for total in totals for of in total.weights.squares.values())
    if counts:
        return sqrt(squares / counts)
    return fsum(total.weights.processed for total in totals) / sum(total.processed for total in totals)

"""The expected results, which a rehearsal writes instead of analysing files.

Data: the 102 published events, each in one file. Simulation: a sample's part of its group's published yield,
divided by the weight of one event, is its number of selected events; a file gets a Poisson draw of its part.
The shapes are rough: a peak for the Higgs boson, one for the Z boson over a flat continuum.

Yields between 70 and 181 GeV are those of the CMS open data example of 2011 and 2012.
"""

from functools import cache
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from generator.catalogue import Dataset
from generator.pseudodata import CHANNEL_SHARES, assign
from higgsdemo.catalogue import Catalogue, Sample
from rehearsal.names import file_name
from workload.histogram import EDGES
from workload.result import Analysis, nothing

YIELDS = {"zz": 80.08, "higgs": 9.73, "dy": 3.85, "ttbar": 0.07}
EVENTS_A_DATA_FILE = 10_000
SEED = 2012

Floats = NDArray[np.float64]


class Expected:
    """The expected results of a catalogue's files; the same ones each time."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._events = {(event.dataset, event.file): event for event in assign(_data(catalogue), SEED)}
        self._files: dict[str, dict[str, int]] = {}

    def of(self, dataset: str, shard: str) -> Analysis:
        """Return the analysis of the file that the shard is named for; raise KeyError when there is none."""
        known = self._catalogue.datasets[dataset]
        if dataset not in self._files:
            names = (file_name(known.prefix, number) for number in range(known.files))
            self._files[dataset] = {name: number for number, name in enumerate(names)}
        number = self._files[dataset][shard]
        if known.sample.datatype == "data":
            return self._of_data(dataset, number)
        return self._of_simulation(known.sample, shard)

    def _of_data(self, dataset: str, number: int) -> Analysis:
        analysis = nothing()._replace(processed=EVENTS_A_DATA_FILE, candidates=[])
        if event := self._events.get((dataset, number)):
            analysis.histograms[event.channel][event.bin] += 1
            run, first = list(self._catalogue.datasets).index(dataset) + 1, number * EVENTS_A_DATA_FILE
            mass = float(EDGES[event.bin : event.bin + 2].mean())
            return analysis._replace(candidates=[(event.channel, run, 1, first, mass)])
        return analysis

    def _of_simulation(self, sample: Sample, shard: str) -> Analysis:
        rng = np.random.default_rng(int.from_bytes(sha256(shard.encode()).digest()[:8], "big"))
        processed = (sample.generated_events or 0) // sample.files
        shares = {channel: CHANNEL_SHARES[channel] for channel in sample.channels}
        mean = self._selected(sample) / sample.files / sum(shares.values())
        drawn = {
            channel: rng.poisson(mean * share * shape(sample.group)) for channel, share in shares.items()
        }
        return Analysis(processed, nothing().histograms | drawn)

    def _selected(self, sample: Sample) -> float:
        """Return a sample's selected events: its part of the group's yield / the weight of one event."""
        group = [one for one in self._catalogue.samples.values() if one.group == sample.group]
        parts = {one.name: self._rate(one) * sum(CHANNEL_SHARES[c] for c in one.channels) for one in group}
        part = parts[sample.name] / sum(parts.values())
        weight = self._rate(sample) / (sample.generated_events or 1)
        return YIELDS[sample.group] * part / weight

    def _rate(self, sample: Sample) -> float:
        """Return the events that the luminosity makes: luminosity x cross section x scale factor."""
        luminosity = self._catalogue.luminosity_pb[sample.year]
        return luminosity * (sample.cross_section_pb or 0.0) * (sample.scale_factor or 0.0)


@cache
def shape(group: str) -> Floats:
    """Return the part of a group's events in each bin of the mass."""
    mass = (EDGES[:-1] + EDGES[1:]) / 2
    match group:
        case "higgs":
            heights = _peak(mass, 124.8, 2.2) + 0.004
        case "zz":
            heights = 2.2 * _peak(mass, 91.2, 2.8) + np.where(mass > 80.0, 0.11, 0.02)
        case "dy":
            heights = np.exp(-(mass - 70.0) / 40.0)
        case _:
            heights = np.ones_like(mass)
    normalised: Floats = heights / heights.sum()
    return normalised


def _peak(mass: Floats, centre: float, width: float) -> Floats:
    peak: Floats = np.exp(-(((mass - centre) / width) ** 2) / 2.0)
    return peak


def _data(catalogue: Catalogue) -> list[Dataset]:
    """Return a catalogue's data in the generator's form, which assigns the published events to files."""
    return [
        Dataset(
            one.name, one.prefix, one.files, EVENTS_A_DATA_FILE, "data", one.sample.channels, one.sample.year
        )
        for one in catalogue.datasets.values()
        if one.sample.datatype == "data"
    ]

"""The luminosity that a campaign's data cover, which the simulation is scaled to.

Of a partial campaign the stack so remains the prediction for the points drawn over it. It is counted for each
year and channel apart, since muon and electron triggers are datasets of their own: the catalogue's luminosity
of the year, times the part of it that the computed data shards bear. That is what they state themselves,
where the catalogue knows the luminosity of their streams, and else their share of the shards there are. A
campaign that asks for no data at all is scaled to the whole luminosity: it predicts all the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING

from higgsdemo.datasets.luminosity import UB_A_PB
from higgsdemo.results.document import CHANNELS

if TYPE_CHECKING:
    from higgsdemo.catalogue import Catalogue, Dataset
    from higgsdemo.results.sums import DatasetSum


@dataclass(frozen=True)
class Exposure:
    """A year's luminosity in 1/pb in a channel: all there is, and what the merged data cover of it."""

    year: int
    channel: str
    full_pb: float
    covered_pb: float


def exposures(
    sums: Mapping[str, DatasetSum], catalogue: Catalogue, expected: Mapping[str, int]
) -> tuple[Exposure, ...]:
    """The covered luminosity of each year and channel."""
    data = [dataset for dataset in catalogue.datasets.values() if dataset.sample.datatype == "data"]
    asked = any(dataset.name in expected for dataset in data)

    def fraction(year: int, channel: str) -> float:
        if not asked:
            return 1.0
        feeding = [d for d in data if d.sample.year == year and channel in d.sample.channels]
        stated = _stated(feeding, sums, catalogue)
        return min(_share(feeding, sums, expected) if stated is None else stated, 1.0)

    return tuple(
        Exposure(year, channel, full_pb, full_pb * fraction(year, channel))
        for year, full_pb in sorted(catalogue.luminosity_pb.items())
        for channel in CHANNELS
    )


def _stated(feeding: list[Dataset], sums: Mapping[str, DatasetSum], catalogue: Catalogue) -> float | None:
    """The part of the datasets' luminosity that their computed shards state; None where it is not known."""
    streams = {sample: pb for parts in catalogue.streams.values() for sample, pb in parts.items()}
    computed = [sums[d.name] for d in feeding if d.name in sums and sums[d.name].computed]
    if any(d.sample.name not in streams for d in feeding) or not all(s.luminosity for s in computed):
        return None
    full_ub = fsum(streams[name] for name in {d.sample.name for d in feeding}) * UB_A_PB
    return fsum(value for s in computed for value in s.luminosity.values()) / full_ub if full_ub else None


def _share(feeding: list[Dataset], sums: Mapping[str, DatasetSum], expected: Mapping[str, int]) -> float:
    """The part of the datasets' shards that were computed.

    A dataset has as many shards as the catalogue has files of it, or as were listed where that is more.
    """
    shards = sum(max(dataset.files, expected.get(dataset.name, 0)) for dataset in feeding)
    computed = sum(sums[dataset.name].computed for dataset in feeding if dataset.name in sums)
    return computed / shards if shards else 0.0

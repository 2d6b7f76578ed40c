"""The luminosity that a campaign's data cover, which the simulation is scaled to.

Of a partial campaign the stack so remains the prediction for the points drawn over it. It is counted for each
year and channel apart, since muon and electron triggers are datasets of their own: the catalogue's luminosity
of the year, times the part of that of its streams which the computed data shards state. A campaign that asks
for no data at all is scaled to the whole luminosity: it predicts all the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING

from higgsdemo.datasets.luminosity import UB_A_PB
from higgsdemo.results.document import CHANNELS

if TYPE_CHECKING:
    from higgsdemo.catalogue import Catalogue
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
    whole = {sample: pb for parts in catalogue.streams.values() for sample, pb in parts.items()}

    def fraction(year: int, channel: str) -> float:
        if not asked:
            return 1.0
        feeding = [d for d in data if d.sample.year == year and channel in d.sample.channels]
        full_pb = fsum(whole[sample] for sample in {dataset.sample.name for dataset in feeding})
        stated = [v for d in feeding if d.name in sums for v in sums[d.name].luminosity.values()]
        return min(fsum(stated) / (full_pb * UB_A_PB), 1.0) if full_pb else 0.0

    return tuple(
        Exposure(year, channel, full_pb, full_pb * fraction(year, channel))
        for year, full_pb in sorted(catalogue.luminosity_pb.items())
        for channel in CHANNELS
    )

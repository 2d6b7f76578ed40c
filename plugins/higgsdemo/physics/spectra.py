"""The spectra of an analysis of one's own: each histogram added up over all shards.

The project does not know what such an analysis selects, so it scales no sample to a luminosity. Code that
makes a summary sees a campaign of datasets that belong to no group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.physics.coverage import Coverage, certified_events, computed_shards
from higgsdemo.physics.yields import Yields
from higgsdemo.results.sums import SumsByDataset


@dataclass(frozen=True)
class OwnSpectra(Coverage):
    """The histograms of an own analysis, by dataset and name."""

    histograms: tuple[HistogramSpec, ...]
    unassigned: dict[str, dict[str, NDArray[np.float64]]]
    """By dataset and histogram, in each bin what the entries weigh, and in a second row the squares."""

    @property
    def weights(self) -> dict[str, dict[str, float]]:
        """Empty: entries have only the weights that the analysis gives them."""
        return {}

    def yields(self) -> Yields:
        """Empty: there are no groups."""
        return {}

    def yields_by_year(self) -> dict[int, Yields]:
        """Empty: there are no groups."""
        return {}

    def peak(self, group: str) -> None:
        """Return None: there are no groups."""

    def total(self, histogram: HistogramSpec) -> NDArray[np.float64]:
        """Return the two rows of a histogram over all datasets."""
        parts = (filled[histogram.name] for filled in self.unassigned.values())
        return sum(parts, np.zeros((2, histogram.bins)))


def add_up(
    sums: SumsByDataset, histograms: Sequence[HistogramSpec], expected: Mapping[str, int]
) -> OwnSpectra:
    """Return the spectra of the merged shards; `expected` counts the campaign's shards by dataset."""
    return OwnSpectra(
        histograms=tuple(histograms),
        unassigned={
            dataset: {
                name: np.stack([total.weights.sums[name], squares])
                for name, squares in total.weights.squares.items()
            }
            for dataset, total in sums.items()
        },
        shards_computed=computed_shards(sums, expected),
        shards_expected=sum(expected.values()),
        certified=certified_events(sums),
    )

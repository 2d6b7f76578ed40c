"""The spectra of an analysis of one's own: each histogram added up over all shards, as it is.

Nothing is known of what an own analysis selects, so no sample is weighted to a luminosity. To those who make
a summary it looks like a campaign of datasets that belong to no group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.physics.coverage import Coverage, computed_shards
from higgsdemo.physics.normalisation import Sums, Yields


@dataclass(frozen=True)
class OwnSpectra(Coverage):
    """The histograms of an own analysis, by dataset and name."""

    histograms: tuple[HistogramSpec, ...]
    unassigned: dict[str, dict[str, NDArray[np.int64]]]
    """Entries by dataset and histogram."""

    @property
    def weights(self) -> dict[str, dict[str, float]]:
        """None: entries are counted."""
        return {}

    def yields(self) -> Yields:
        """None: there are no groups."""
        return {}

    def yields_by_year(self) -> dict[int, Yields]:
        """None: there are no groups."""
        return {}

    def peak(self, group: str) -> None:
        """None: there are no groups."""

    def total(self, histogram: HistogramSpec) -> NDArray[np.int64]:
        """Entries of a histogram over all datasets."""
        parts = (counts[histogram.name] for counts in self.unassigned.values())
        return sum(parts, np.zeros(histogram.bins, dtype=np.int64))


def add_up(sums: Sums, histograms: Sequence[HistogramSpec], expected: Mapping[str, int]) -> OwnSpectra:
    """The spectra of the merged shards; `expected` is the number of shards of the campaign by dataset."""
    found = sums.datasets
    return OwnSpectra(
        histograms=tuple(histograms),
        unassigned={name: dict(total.counts) for name, total in found.items()},
        shards_computed=computed_shards(found, expected),
        shards_expected=sum(expected.values()),
    )

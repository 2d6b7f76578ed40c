"""How much of a campaign its spectra show: the shards that were computed, of those that it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from higgsdemo.physics.exposure import Exposure
    from higgsdemo.results.sums import DatasetSum


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Spectra of a campaign of which parts may be missing."""

    shards_computed: int
    shards_expected: int
    exposures: tuple[Exposure, ...] = ()
    absent: tuple[str, ...] = ()
    """Samples of which no event was processed: those asked for, and those that the stack lacks."""

    @property
    def coverage(self) -> float:
        """The computed part of the expected shards, 0 to 1."""
        return self.shards_computed / self.shards_expected if self.shards_expected else 0.0


def computed_shards(sums: Mapping[str, DatasetSum], expected: Mapping[str, int]) -> int:
    """The shards of the campaign, `expected` by dataset, that were computed."""
    return sum(min(sums[name].computed, shards) for name, shards in expected.items() if name in sums)

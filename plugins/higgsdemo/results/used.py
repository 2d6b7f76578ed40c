"""What shards used of what their pods asked for, and what is enough the next time."""

from collections import Counter
from math import ceil, floor, log2
from typing import Annotated, Self

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict

_STEPS = 16  # bins for each factor of two: a quantile is at most 2 ** (1 / 16), 4.4%, too high
MEBIBYTE = 1 << 20
Measure = Annotated[float, Ge(0), Le(1e18)]
"""More than any campaign's: what a run took is read again from a bucket."""


class Spread:
    """Quantiles of any number of values from a histogram of a few hundred bins."""

    def __init__(self) -> None:
        self._bins = Counter[int]()
        self.most = 0.0

    def add(self, value: float) -> None:
        """Add a value, 0 or more."""
        self._bins[floor(_STEPS * log2(max(value, 1e-3)))] += 1
        self.most = max(self.most, value)

    def quantile(self, part: float) -> float:
        """Return what this part of all values does not exceed; 0 without values."""
        rank, counted = ceil(part * self._bins.total()), 0
        for step, number in sorted(self._bins.items()):
            counted += number
            if counted >= rank:
                return min(2 ** ((step + 1) / _STEPS), self.most)
        return 0.0


class Used(BaseModel):
    """What each pod has asked for, what half of the shards, 95% and all used at most, and what is enough."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    asked: Measure
    median: Measure
    percentile_95: Measure
    most: Measure
    enough: Measure

    @classmethod
    def of_memory(cls, found: Spread, asked: float) -> Self | None:
        """Describe bytes: enough is the most times 1.2, in steps of 64 MiB.

        It is never more than asked, since all of these shards were done with that.
        """
        step = 64 * MEBIBYTE
        return cls._of(found, asked, min(ceil(1.2 * found.most / step) * step, asked))

    @classmethod
    def of_cores(cls, found: Spread, asked: float) -> Self | None:
        """Describe cores: enough is what 95% used, in steps of 0.1, as others take but a little longer."""
        return cls._of(found, asked, max(ceil(10 * found.quantile(0.95)), 1) / 10)

    @classmethod
    def _of(cls, found: Spread, asked: float, enough: float) -> Self | None:
        if not found.most:
            return None
        median, most_of_them = found.quantile(0.5), found.quantile(0.95)
        return cls(asked=asked, median=median, percentile_95=most_of_them, most=found.most, enough=enough)

    def cells(self, form: str, unit: float = 1.0) -> tuple[str, str]:
        """Return in words what was asked and is enough, and what was used."""
        shown = (self.asked, self.enough), (self.median, self.percentile_95, self.most)
        asked, used = (", ".join(form.format(one / unit) for one in numbers) for numbers in shown)
        return asked, used

"""What the pods of a run have done and used, according to their results, physics aside."""

from collections import Counter
from dataclasses import dataclass, field
from math import ceil, floor, inf, log2
from typing import Annotated, Self

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict

from higgsdemo.results.document import Document

_SHORTEST = 0.1  # s of a computation whose cores are told: CPU time is counted in steps of 0.01 s
_STEPS = 16  # bins for each factor of two: a quantile is at most 2 ** (1 / 16), 4.4%, too high
MEBIBYTE = 1 << 20
Measure = Annotated[float, Ge(0), Le(1e24)]
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


@dataclass(slots=True)
class Work:
    """What some results took.

    `stage_in` and `compute` are the seconds of all pods together, `first` the one (since 1970) when the first
    began, `ends` those when the last one of each cluster ended.
    `read` and `written` are bytes by cluster; `memory` and `cores` those that shards used, where they say so.
    """

    shards: int = 0
    stage_in: float = 0.0
    compute: float = 0.0
    first: float = inf
    ends: dict[str | None, float] = field(default_factory=dict)
    read: Counter[str | None] = field(default_factory=Counter)
    written: Counter[str | None] = field(default_factory=Counter)
    memory: Spread = field(default_factory=Spread)
    cores: Spread = field(default_factory=Spread)

    def add(self, document: Document, size: int, cluster: str | None) -> None:
        """Count what a result took; `size` is that of its document, in bytes."""
        held = document.seconds.stage_in + document.seconds.compute
        self.shards += 1
        self.stage_in += document.seconds.stage_in
        self.compute += document.seconds.compute
        self.read[cluster] += document.bytes
        self.written[cluster] += size + sum(file.size for file in document.files)
        if document.finished:
            ended = document.finished.timestamp()
            self.first = min(self.first, ended - held)
            self.ends[cluster] = max(self.ends.get(cluster, ended), ended)
        if document.used.memory:
            self.memory.add(document.used.memory)
        if document.used.cpu_seconds is not None and document.seconds.compute >= _SHORTEST:
            self.cores.add(document.used.cpu_seconds / document.seconds.compute)

    @property
    def held(self) -> float:
        """Seconds of all pods together."""
        return self.stage_in + self.compute

    @property
    def seconds(self) -> float | None:
        """Seconds from the first pod's start to the last one's end; None where no result has them."""
        return max(self.ends.values()) - self.first if self.ends else None

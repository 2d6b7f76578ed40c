"""Running sums over a run's results, so that each of them is fetched and looked at once.

A merge keeps every document, to tell repeats from conflicts. The page need not: a result's key is its shard,
so what it has counted under a key it never counts again.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.merge import DatasetSum
from higgsdemo.results import ResultError, locate, parse_result
from higgsdemo.storage import StoredObject


@dataclass
class _Sum:
    shards: int = 0
    computed: int = 0
    processed: int = 0
    bytes: int = 0
    stage_in: float = 0.0
    compute: float = 0.0
    counts: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    luminosity: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    finished: array[float] = field(default_factory=lambda: array("d"))


class Tally:
    """What the results read so far add up to; `histograms` are those of an analysis of one's own."""

    def __init__(self, histograms: Sequence[HistogramSpec] = ()) -> None:
        self._histograms = histograms
        self._sums: dict[str, _Sum] = defaultdict(_Sum)
        self._counted: set[str] = set()
        self._refused: dict[str, tuple[int, str]] = {}

    def unread(self, objects: Iterable[StoredObject]) -> list[str]:
        """The keys that are not counted yet; a refused object again once its size has changed."""
        return [
            stored.key
            for stored in objects
            if stored.key not in self._counted and self._refused.get(stored.key, (-1,))[0] != stored.size
        ]

    def add(self, key: str, raw: bytes) -> None:
        """Count one object; one that is no result document is noted in `refused` instead."""
        if key in self._counted:
            return
        try:
            document = parse_result(key, raw, self._histograms)
        except ResultError as error:
            self._refused[key] = (len(raw), str(error))
            return
        self._refused.pop(key, None)
        self._counted.add(key)
        total = self._sums[locate(key)[0]]
        total.shards += 1
        total.computed += not document.test_mode
        total.processed += document.processed
        total.bytes += document.bytes
        total.stage_in += document.seconds.stage_in
        total.compute += document.seconds.compute
        for name, counts in document.counts.items():
            total.counts[name] = total.counts.get(name, 0) + np.array(counts, np.int64)
        if document.lumi is not None and not document.test_mode:
            total.luminosity[document.lumi.stream] += document.lumi.value
        total.finished.append((document.finished or datetime.now(UTC)).timestamp())

    @property
    def read(self) -> int:
        """Results counted."""
        return len(self._counted)

    @property
    def refused(self) -> dict[str, str]:
        """Why an object is no result document, by key."""
        return {key: reason for key, (_, reason) in sorted(self._refused.items())}

    @property
    def datasets(self) -> dict[str, DatasetSum]:
        """The sums by dataset."""
        return {
            name: DatasetSum(
                shards=total.shards,
                computed=total.computed,
                processed=total.processed,
                counts=dict(total.counts),
                luminosity=dict(total.luminosity),
                bytes=total.bytes,
                seconds={"stage_in": total.stage_in, "compute": total.compute},
            )
            for name, total in sorted(self._sums.items())
        }

    def shards(self, dataset: str) -> int:
        """Results counted of a dataset."""
        return self._sums[dataset].shards if dataset in self._sums else 0

    def finished(self, dataset: str) -> NDArray[np.float64]:
        """When the shards of a dataset were finished (seconds since 1970), in no order."""
        found = self._sums[dataset].finished if dataset in self._sums else array("d")
        return np.array(found, dtype=np.float64)

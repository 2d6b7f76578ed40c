"""Running sums over a run's results, so that each of them is fetched and looked at once.

It counts what the merge counts, the results of the expected shards. A merge keeps something of every result,
for the plot; of these sums the page keeps only the keys.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.datasets.expected import ExpectedShards
from higgsdemo.results.document import ResultError, check_size, parse_result
from higgsdemo.results.sums import DatasetSum, Sum
from higgsdemo.run_folder import locate
from higgsdemo.storage.object_store import StoredObject


class Tally:
    """What the results read so far add up to.

    `expected` are the shards that count, more of which may be read meanwhile; `histograms` are those of an
    analysis of one's own.
    """

    def __init__(self, expected: ExpectedShards, histograms: Sequence[HistogramSpec] = ()) -> None:
        self.expected = expected
        self._histograms = histograms
        self._sums: dict[str, Sum] = defaultdict(Sum)
        self._finished: dict[str, array[float]] = defaultdict(lambda: array("d"))
        self._counted: set[str] = set()
        self._looked_at: dict[str, StoredObject] = {}
        self._refused: dict[str, tuple[StoredObject, str]] = {}
        self.simulated = False

    def unread(self, objects: Iterable[StoredObject]) -> list[str]:
        """The expected keys worth reading: not those counted, nor those refused that are as they were."""
        return [stored.key for stored in objects if stored.key in self.expected and self._is_news(stored)]

    def _is_news(self, stored: StoredObject) -> bool:
        key = stored.key
        if key in self._counted or self._refused.get(key, (None,))[0] == stored:
            return False
        try:
            check_size(key, stored.size)
        except ResultError as error:
            self._refused[key] = stored, str(error)
            return False
        self._looked_at[key] = stored
        return True

    def add(self, key: str, raw: bytes) -> None:
        """Count one object; one that is no result document is noted in `refused` instead."""
        version = self._looked_at.pop(key, StoredObject(key, len(raw)))
        if key in self._counted:
            return
        try:
            document = parse_result(key, raw, self._histograms, self.expected.entries(key))
        except ResultError as error:
            self._refused[key] = version, str(error)
            return
        self._refused.pop(key, None)
        self._counted.add(key)
        dataset, _ = locate(key)
        self._sums[dataset].add(document)
        self._finished[dataset].append((document.finished or datetime.now(UTC)).timestamp())
        self.simulated |= document.simulated

    def counted(self, key: str) -> bool:
        """Whether the result of that key has been counted."""
        return key in self._counted

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
        return {name: total.total() for name, total in sorted(self._sums.items())}

    def shards(self, dataset: str) -> int:
        """Results counted of a dataset."""
        return self._sums[dataset].shards if dataset in self._sums else 0

    def finished(self, dataset: str) -> NDArray[np.float64]:
        """When the shards of a dataset were finished (seconds since 1970), in no order."""
        return np.array(self._finished.get(dataset, ()), dtype=np.float64)

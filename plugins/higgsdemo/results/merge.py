"""The merge: running sums over a run's results, in which every shard counts exactly once.

Each result is read and checked once, both by the task that merges a run and by the page that shows it
meanwhile. The sums are the same to the last bit whatever order or repeats the results come in
(`higgsdemo.results.sums` adds exactly), and of a shard only the time of its result is kept in memory.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.datasets.expected import ExpectedShards
from higgsdemo.results.candidates import Candidates
from higgsdemo.results.document import Document
from higgsdemo.results.parsing import ResultError, check_size, parse_result
from higgsdemo.results.sums import DatasetSum, Sum
from higgsdemo.results.work import Work
from higgsdemo.run_folder import locate
from higgsdemo.storage.object_store import StoredObject


class Merge:
    """The sums of the results read so far.

    :param expected: the shards that count, more of which may be listed meanwhile.
    :param histograms: those that the campaign describes; None for the four-lepton analysis.
    :param since: earlier results are not `work` of this run.
    """

    def __init__(
        self,
        expected: ExpectedShards,
        histograms: Sequence[HistogramSpec] | None = None,
        since: datetime | None = None,
    ) -> None:
        self.expected = expected
        self._histograms, self._since = histograms, since
        self._sums: dict[str, Sum] = defaultdict(Sum)
        self._finished: dict[str, array[float]] = defaultdict(lambda: array("d"))
        self._looked_at: dict[str, StoredObject] = {}
        self._corrupt: dict[str, tuple[StoredObject, str]] = {}
        self.counts = Counter[str]()
        """Results counted, by dataset."""
        self.candidates = Candidates()
        self.work = Work()
        self.simulated = False
        """Whether any results were drawn in a rehearsal."""

    def wants(self, stored: StoredObject) -> bool:
        """Return whether an object of a listing is to be read.

        It is not if nobody expects it, if it has been counted, or is unchanged since it was found corrupt.
        One that is too large to be a result is corrupt unread.
        """
        key = stored.key
        listed = self.expected.find(key)
        if not listed or listed.counted or self._corrupt.get(key, (None,))[0] == stored:
            return False
        try:
            check_size(key, stored.size)
        except ResultError as error:
            self._corrupt[key] = stored, str(error)
            return False
        self._looked_at[key] = stored
        return True

    def add(self, key: str, raw: bytes) -> Document | None:
        """Count one object and return it; note one that is not a result document in `corrupt` instead."""
        version = self._looked_at.pop(key, StoredObject(key, len(raw)))
        listed = self.expected.find(key)
        if not listed or listed.counted:
            return None
        try:
            document = parse_result(key, raw, self._histograms, listed.entries, listed.size)
        except ResultError as error:
            self._corrupt[key] = version, str(error)
            return None
        self._corrupt.pop(key, None)
        self.expected.count(key)
        dataset, _ = locate(key)
        self.counts[dataset] += 1
        self._sums[dataset].add(document)
        self.candidates.add(dataset, document)
        self._finished[dataset].append((document.finished or datetime.now(UTC)).timestamp())
        self.simulated |= document.simulated
        if not (self._since and document.finished and document.finished < self._since):
            self.work.add(document, len(raw), listed.clusters[0])
        return document

    @property
    def read(self) -> int:
        """Results counted."""
        return self.counts.total()

    @property
    def corrupt(self) -> dict[str, str]:
        """Why an object is no result document, by key."""
        return {key: reason for key, (_, reason) in sorted(self._corrupt.items())}

    @property
    def datasets(self) -> dict[str, DatasetSum]:
        """The sums by dataset, in the order of the datasets' names."""
        return {name: total.total() for name, total in sorted(self._sums.items())}

    def finished(self, dataset: str) -> NDArray[np.float64]:
        """Return when the shards of a dataset were finished (seconds since 1970), in no order."""
        return np.array(self._finished.get(dataset, ()), dtype=np.float64)

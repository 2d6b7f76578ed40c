"""The merge: every shard's result counted exactly once, whatever order, repeats or parts they come in.

A merge is a set of result documents by shard. Adding a document and joining two merges are commutative,
associative and idempotent, so partial merges (one a cluster, say, or one before a restart) can be saved, read
again and joined in any order, and give the same sums to the last bit: counts are integers; seconds and
luminosities are summed by `math.fsum`, which rounds once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.results import (
    BINS,
    CHANNELS,
    Document,
    OwnDocument,
    ResultDocument,
    ResultError,
    locate,
    parse_result,
)

Names = Mapping[str, Collection[str]]
"""Names of shards, by dataset."""


@dataclass(frozen=True)
class DatasetSum:
    """What the merged shards of one dataset add up to."""

    shards: int
    """Shards merged, those in test mode included."""
    computed: int
    """Shards whose events were really read: not those run in test mode."""
    processed: int
    """Events read."""
    counts: dict[str, NDArray[np.int64]]
    """Selected events in the 37 bins, by channel; of an own analysis the entries by histogram. Unweighted."""
    luminosity: dict[str, float]
    """Luminosity in 1/ub that the shards state, by stream."""
    bytes: int
    """Bytes staged in."""
    seconds: dict[str, float]
    """Seconds of pods' wall-clock time in `stage_in` and `compute`."""


class _Saved(BaseModel):
    """The form of a saved merge."""

    documents: dict[str, dict[str, Document]]
    conflicts: dict[str, list[str]]
    corrupt: dict[str, str]


class Merge:
    """The results of a campaign, or of a part of it, by shard.

    `histograms` are those of an analysis of one's own.
    """

    def __init__(self, histograms: Sequence[HistogramSpec] = ()) -> None:
        self._histograms = histograms
        self._documents: dict[str, dict[str, Document]] = defaultdict(dict)
        self._conflicts: dict[str, set[str]] = defaultdict(set)
        self._corrupt: dict[str, str] = {}

    @classmethod
    def of(cls, objects: Iterable[tuple[str, bytes]], histograms: Sequence[HistogramSpec] = ()) -> Self:
        """The merge of the objects (key, content) of a bucket."""
        merge = cls(histograms)
        for key, raw in objects:
            merge.read(key, raw)
        return merge

    def read(self, key: str, raw: bytes) -> None:
        """Count the object `key`; one that is no result document is noted in `corrupt` instead."""
        try:
            document = parse_result(key, raw, self._histograms)
        except ResultError as error:
            self._note_corrupt(key, str(error))
        else:
            self._add(*locate(key), document)

    def update(self, other: Merge) -> None:
        """Join another merge into this one."""
        for dataset, documents in other._documents.items():
            for shard, document in documents.items():
                self._add(dataset, shard, document)
        for dataset, shards in other._conflicts.items():
            self._conflicts[dataset] |= shards
        for key, reason in other._corrupt.items():
            self._note_corrupt(key, reason)

    def _add(self, dataset: str, shard: str, document: Document) -> None:
        known = self._documents[dataset].setdefault(shard, document)
        if _physics(known) != _physics(document):
            self._conflicts[dataset].add(shard)
        self._documents[dataset][shard] = max(known, document, key=_precedence)

    def _note_corrupt(self, key: str, reason: str) -> None:
        self._corrupt[key] = max(reason, self._corrupt.get(key, ""))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Merge) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    @property
    def datasets(self) -> dict[str, DatasetSum]:
        """The sums by dataset, in the order of the datasets' names."""
        return {dataset: _sum(self._documents[dataset].values()) for dataset in sorted(self._documents)}

    @property
    def shards(self) -> dict[str, frozenset[str]]:
        """Names of the merged shards by dataset."""
        return {dataset: frozenset(self._documents[dataset]) for dataset in sorted(self._documents)}

    @property
    def conflicts(self) -> dict[str, list[str]]:
        """Shards of which differing results were found.

        One result of each is counted: one that was computed rather than one of test mode, then the one of
        more events.
        """
        return {dataset: sorted(self._conflicts[dataset]) for dataset in sorted(self._conflicts)}

    @property
    def corrupt(self) -> dict[str, str]:
        """Why an object is no result document, by key; left out once its shard has a good one elsewhere."""
        found = self.shards
        return {
            key: reason
            for key, reason in sorted(self._corrupt.items())
            if locate(key)[1] not in found.get(locate(key)[0], ())
        }

    def missing(self, expected: Names) -> dict[str, list[str]]:
        """The expected shards that have no result; datasets that are complete are left out."""
        return _difference(expected, self.shards)

    def unexpected(self, expected: Names) -> dict[str, list[str]]:
        """The shards that have a result (which is counted) but are not expected: of an older listing, say."""
        return _difference(self.shards, expected)

    def to_dict(self) -> dict[str, Any]:
        """The merge as JSON values, the same for equal merges; `from_dict` reads it."""
        documents = {
            dataset: {shard: self._documents[dataset][shard] for shard in sorted(shards)}
            for dataset, shards in self.shards.items()
        }
        saved = _Saved(documents=documents, conflicts=self.conflicts, corrupt=self.corrupt)
        return saved.model_dump(mode="json")

    @classmethod
    def from_dict(cls, saved: object) -> Self:
        """The merge saved by `to_dict`. Raises ResultError when it is none."""
        try:
            content = _Saved.model_validate(saved)
        except ValidationError as error:
            kinds = (ResultDocument.__name__, OwnDocument.__name__)
            where = ".".join(str(part) for part in error.errors()[0]["loc"] if part not in kinds)
            raise ResultError(f"not a saved merge: {where or 'the whole'} is not valid") from None
        merge = cls()
        for dataset, documents in content.documents.items():
            merge._documents[dataset].update(documents)
        for dataset, shards in content.conflicts.items():
            merge._conflicts[dataset].update(shards)
        merge._corrupt.update(content.corrupt)
        return merge


def _physics(document: Document) -> tuple[object, ...]:
    """The part of a document in which two runs over the same shard must agree."""
    return document.samplename, document.processed, document.counts, document.lumi, document.test_mode


def _precedence(document: Document) -> tuple[bool, int, str]:
    """A total order of documents, by which the choice between two does not hang on which came first."""
    return not document.test_mode, document.processed, document.model_dump_json()


def _difference(left: Names, right: Names) -> dict[str, list[str]]:
    rest = {dataset: sorted(set(left[dataset]) - set(right.get(dataset, ()))) for dataset in sorted(left)}
    return {dataset: shards for dataset, shards in rest.items() if shards}


def _sum(documents: Collection[Document]) -> DatasetSum:
    streams: dict[str, list[float]] = defaultdict(list)
    for document in documents:
        if document.lumi is not None and not document.test_mode:
            streams[document.lumi.stream].append(document.lumi.value)
    names = next((tuple(document.counts) for document in documents), CHANNELS)
    columns = {name: [document.counts[name] for document in documents] or [(0,) * BINS] for name in names}
    return DatasetSum(
        shards=len(documents),
        computed=sum(not document.test_mode for document in documents),
        processed=sum(document.processed for document in documents),
        counts={name: np.array(rows, dtype=np.int64).sum(axis=0) for name, rows in columns.items()},
        luminosity={stream: fsum(values) for stream, values in sorted(streams.items())},
        bytes=sum(document.bytes for document in documents),
        seconds={
            "stage_in": fsum(document.seconds.stage_in for document in documents),
            "compute": fsum(document.seconds.compute for document in documents),
        },
    )

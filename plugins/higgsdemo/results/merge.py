"""The merge: every shard's result counted exactly once, whatever order, repeats or parts they come in.

A merge is a set of results by shard. Adding a result and joining two merges are commutative, associative
and idempotent, so partial merges (one a cluster, say, or one before a restart) can be saved, read again and
joined in any order, and give the same sums to the last bit (`higgsdemo.results.sums` adds exactly).

What the sums need of a result is packed into about a hundred bytes, no more than the shard's name and a
digest to tell repeats from conflicts would take. So a result that turns out to be the wrong one of two can
still be left out, and a merge of 27,000 shards takes some megabytes rather than the hundred of the documents.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from io import BytesIO
from typing import Self

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.results.document import (
    BINS,
    Document,
    Durations,
    OwnDocument,
    ResultDocument,
    ResultError,
    locate,
    parse_result,
)
from higgsdemo.results.sums import DatasetSum, Sum
from higgsdemo.results.work import Work

MERGED = "merged.jsonl.gz"
"""The object in a run's folder that holds its merge."""

Names = Mapping[str, Collection[str]]
"""Names of shards, by dataset."""

_PASSED_OVER = {"shard", "url", "size", "workload", "finished", "simulated"}
"""What a result says of itself and a merge does not need."""


class _Heading(BaseModel):
    """The first line of a saved merge."""

    model_config = ConfigDict(extra="forbid")

    conflicts: dict[str, list[str]]
    corrupt: dict[str, str]


class _Line(BaseModel):
    """One of the others."""

    model_config = ConfigDict(extra="forbid")

    dataset: str
    shard: str
    result: Document


class Merge:
    """The results of a campaign, or of a part of it, by shard.

    `histograms` are those of an analysis of one's own; results from before `since` are no `work` of this run.
    """

    def __init__(self, histograms: Sequence[HistogramSpec] = (), since: datetime | None = None) -> None:
        self._histograms, self._since = histograms, since
        self._packed: dict[str, dict[str, bytes]] = defaultdict(dict)
        self._conflicts: dict[str, set[str]] = defaultdict(set)
        self._corrupt: dict[str, str] = {}
        self.work = Work()
        self.simulated = False
        """Whether results were read that were drawn in a rehearsal."""

    @classmethod
    def of(
        cls,
        objects: Iterable[tuple[str, bytes]],
        histograms: Sequence[HistogramSpec] = (),
        since: datetime | None = None,
    ) -> Self:
        """The merge of the objects (key, content) of a bucket."""
        merge = cls(histograms, since)
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
            self._add(*locate(key), _pack(document))
            self.simulated |= document.simulated
            if not (self._since and document.finished and document.finished < self._since):
                self.work.add(document)

    def update(self, other: Merge) -> None:
        """Join another merge into this one."""
        for dataset, shards in other._packed.items():
            for shard, packed in shards.items():
                self._add(dataset, shard, packed)
        for dataset, differing in other._conflicts.items():
            self._conflicts[dataset] |= differing
        for key, reason in other._corrupt.items():
            self._note_corrupt(key, reason)
        self.simulated |= other.simulated
        self.work.update(other.work)

    def _add(self, dataset: str, shard: str, packed: bytes) -> None:
        known = self._packed[dataset].setdefault(shard, packed)
        if known == packed:
            return
        if _physics(_unpack(known)) != _physics(_unpack(packed)):
            self._conflicts[dataset].add(shard)
        self._packed[dataset][shard] = max(known, packed, key=_precedence)

    def _note_corrupt(self, key: str, reason: str) -> None:
        self._corrupt[key] = max(reason, self._corrupt.get(key, ""))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Merge) and self.to_bytes() == other.to_bytes()

    __hash__ = None  # type: ignore[assignment]

    @property
    def datasets(self) -> dict[str, DatasetSum]:
        """The sums by dataset, in the order of the datasets' names."""
        return {
            dataset: Sum.of(map(_unpack, self._packed[dataset].values())).total()
            for dataset in sorted(self._packed)
        }

    @property
    def shards(self) -> dict[str, frozenset[str]]:
        """Names of the merged shards by dataset."""
        return {dataset: frozenset(self._packed[dataset]) for dataset in sorted(self._packed)}

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

    def to_bytes(self) -> bytes:
        """The merge as compressed JSON lines, the same for equal merges; `from_bytes` reads them."""
        return gzip.compress("".join(f"{line}\n" for line in self._lines()).encode(), mtime=0)

    def _lines(self) -> Iterator[str]:
        yield _Heading(conflicts=self.conflicts, corrupt=self.corrupt).model_dump_json()
        for dataset in sorted(self._packed):
            for shard in sorted(self._packed[dataset]):
                place = json.dumps({"dataset": dataset, "shard": shard})
                yield f'{place[:-1]}, "result": {_json(self._packed[dataset][shard]).decode()}}}'

    @classmethod
    def from_bytes(cls, saved: bytes) -> Self:
        """The merge saved by `to_bytes`. Raises ResultError when it is none."""
        merge = cls()
        number = 1
        try:
            with gzip.open(BytesIO(saved)) as lines:
                heading = _Heading.model_validate_json(next(lines, b""))
                while raw := next(lines, b""):
                    number += 1
                    line = _Line.model_validate_json(raw)
                    merge._packed[line.dataset][line.shard] = _pack(line.result)
        except (OSError, EOFError, zlib.error) as error:
            raise ResultError(f"not a saved merge: {error}") from None
        except ValidationError as error:
            kinds = (ResultDocument.__name__, OwnDocument.__name__)
            where = ".".join(str(part) for part in error.errors()[0]["loc"] if part not in kinds)
            fault = f"line {number}: {where or 'the whole'} is not valid"
            raise ResultError(f"not a saved merge: {fault}") from None
        for dataset, shards in heading.conflicts.items():
            merge._conflicts[dataset].update(shards)
        merge._corrupt.update(heading.corrupt)
        return merge


def _pack(document: Document) -> bytes:
    text = document.model_dump_json(exclude=_PASSED_OVER, exclude_defaults=True)
    packer = zlib.compressobj(zdict=_TYPICAL)
    return packer.compress(text.encode()) + packer.flush()


def _json(packed: bytes) -> bytes:
    return zlib.decompressobj(zdict=_TYPICAL).decompress(packed)


def _unpack(packed: bytes) -> Document:
    return _DOCUMENT.validate_json(_json(packed))


_DOCUMENT: TypeAdapter[Document] = TypeAdapter(Document)


_NO_COUNTS = ",".join(["0"] * BINS)
_TYPICAL = (
    f'"mass4mu_8TeV_low":[{_NO_COUNTS}],"mass4e_8TeV_low":[{_NO_COUNTS}],"mass2mu2e_8TeV_low":[{_NO_COUNTS}],'
    '"lumi":{"stream":"mu_stream_2012","value":},"seconds":{"stage_in":0.1,"compute":0.1},"bytes":'
    '{"samplename":"","processed":'
).encode()
"""What most results have in common: packing by reference to it makes them a few times smaller."""


def _physics(document: Document) -> Document:
    """The part of a document in which two runs over the same shard must agree."""
    return document.model_copy(update={"seconds": Durations(), "bytes": 0})


def _precedence(packed: bytes) -> tuple[bool, int, bytes]:
    """A total order of results, by which the choice between two does not hang on which came first."""
    document = _unpack(packed)
    return not document.test_mode, document.processed, _json(packed)


def _difference(left: Names, right: Names) -> dict[str, list[str]]:
    rest = {dataset: sorted(set(left[dataset]) - set(right.get(dataset, ()))) for dataset in sorted(left)}
    return {dataset: shards for dataset, shards in rest.items() if shards}

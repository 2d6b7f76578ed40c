"""The merge: every shard's result counted exactly once, whatever order or repeats they come in.

A merge is a set of results by shard: what is counted of a shard is not counted again, and the sums are the
same to the last bit in any order (`higgsdemo.results.sums` adds exactly). It is saved for those who come
after: the plot reads this one object and none of the results.

What the sums need of a result is packed into about a hundred bytes, so that a merge of 27,000 shards takes
some megabytes rather than the hundred of the documents.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from io import BytesIO
from typing import Self

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.results.document import (
    BINS,
    MAX_BYTES,
    Document,
    OwnDocument,
    ResultDocument,
    ResultError,
    check_size,
    parse_result,
)
from higgsdemo.results.sums import DatasetSum, Sum
from higgsdemo.results.work import Work
from higgsdemo.run_folder import locate

LARGEST_MERGE = 1 << 28
"""Bytes of a saved merge: a million results have about 100 MB."""

LONGEST_LINE = 8 * MAX_BYTES
"""Of a saved merge, in bytes: numbers may be written longer than a result wrote them."""

Names = Mapping[str, Collection[str]]
"""Names of shards, by dataset."""

_PASSED_OVER = {"shard", "url", "size", "workload", "finished", "simulated"}
"""What a result says of itself and a merge does not need."""


class _Line(BaseModel):
    """One line of a saved merge."""

    model_config = ConfigDict(extra="forbid")

    dataset: str
    shard: str
    result: Document


class Merge:
    """The results of a campaign by shard.

    `histograms` are those of an analysis of one's own; results from before `since` are no `work` of this run.
    """

    def __init__(self, histograms: Sequence[HistogramSpec] = (), since: datetime | None = None) -> None:
        self._histograms, self._since = histograms, since
        self._packed: dict[str, dict[str, bytes]] = defaultdict(dict)
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
        entries: Callable[[str], tuple[int, int] | None] = lambda key: None,
    ) -> Self:
        """The merge of the objects (key, content) of a bucket.

        `entries` tells of the key of a part of a file the events that it must be of.
        """
        merge = cls(histograms, since)
        for key, raw in objects:
            merge.read(key, raw, entries(key))
        return merge

    def small_enough(self, key: str, size: int) -> bool:
        """Whether an object of so many bytes is worth reading; one that is not is noted in `corrupt`."""
        try:
            check_size(key, size)
        except ResultError as error:
            self._corrupt[key] = str(error)
            return False
        return True

    def read(self, key: str, raw: bytes, entries: tuple[int, int] | None = None) -> None:
        """Count the object `key`; one that is no result document is noted in `corrupt` instead."""
        dataset, shard = locate(key)
        if shard in self._packed.get(dataset, ()):
            return
        try:
            document = parse_result(key, raw, self._histograms, entries)
        except ResultError as error:
            self._corrupt[key] = str(error)
            return
        self._corrupt.pop(key, None)
        self._packed[dataset][shard] = _pack(document)
        self.simulated |= document.simulated
        if not (self._since and document.finished and document.finished < self._since):
            self.work.add(document)

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
    def corrupt(self) -> dict[str, str]:
        """Why an object is no result document, by key."""
        return dict(sorted(self._corrupt.items()))

    def missing(self, expected: Names) -> dict[str, list[str]]:
        """The expected shards that have no result; datasets that are complete are left out."""
        rest = {name: set(expected[name]) - self._packed.get(name, {}).keys() for name in sorted(expected)}
        return {dataset: sorted(shards) for dataset, shards in rest.items() if shards}

    def to_bytes(self) -> bytes:
        """The merge as compressed JSON lines, the same for equal merges; `from_bytes` reads them."""
        return gzip.compress("".join(f"{line}\n" for line in self._lines()).encode(), mtime=0)

    def _lines(self) -> Iterator[str]:
        for dataset in sorted(self._packed):
            for shard in sorted(self._packed[dataset]):
                place = json.dumps({"dataset": dataset, "shard": shard})
                yield f'{place[:-1]}, "result": {_json(self._packed[dataset][shard]).decode()}}}'

    @classmethod
    def from_bytes(cls, saved: bytes, most: int | None = None) -> Self:
        """The results saved by `to_bytes`, of `most` shards at most. Raises ResultError when they are none.

        It unpacks line by line, and none that is too long: what is in a bucket may be made to fill memory.
        """
        merge = cls()
        number = 0
        try:
            if not saved:
                raise EOFError("it is empty")
            with gzip.open(BytesIO(saved)) as lines:
                while raw := lines.readline(LONGEST_LINE + 1):
                    number += 1
                    if len(raw) > LONGEST_LINE or (most is not None and number > most):
                        raise EOFError(f"line {number} is too long, or one too many")
                    line = _Line.model_validate_json(raw)
                    merge._packed[line.dataset][line.shard] = _pack(line.result)
        except (OSError, EOFError, zlib.error) as error:
            raise ResultError(f"not a saved merge: {error}") from None
        except ValidationError as error:
            kinds = (ResultDocument.__name__, OwnDocument.__name__)
            where = ".".join(str(part) for part in error.errors()[0]["loc"] if part not in kinds)
            fault = f"line {number}: {where or 'the whole'} is not valid"
            raise ResultError(f"not a saved merge: {fault}") from None
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
    '"branches":["Muon_isGlobal","Muon_isPFcand","Electron_lostHits","Electron_deltaEtaSC","genWeight"]'
    f'"mass4mu_8TeV_low":[{_NO_COUNTS}],"mass4e_8TeV_low":[{_NO_COUNTS}],"mass2mu2e_8TeV_low":[{_NO_COUNTS}],'
    '"lumi":{"stream":"mu_stream_2012","value":},"seconds":{"stage_in":0.1,"compute":0.1},"bytes":'
    '{"samplename":"","processed":'
).encode()
"""What most results have in common: packing by reference to it makes them a few times smaller."""

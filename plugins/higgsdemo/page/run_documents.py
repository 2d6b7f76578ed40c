"""The JSON documents of a run's folder, which the page checks for size and content and reads once.

Whoever may write results may write these, and the page must survive any content. What is damaged is left out
and reported; what cannot be read for a while is shown as last seen.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Self, TypeVar

from annotated_types import Ge, Le, Len
from pydantic import BaseModel, TypeAdapter, model_validator
from typing_extensions import TypedDict  # pydantic needs it before Python 3.12

from higgsdemo.physics.discovery import Discovery
from higgsdemo.physics.yields import Yield
from higgsdemo.prediction import Account
from higgsdemo.publication.summary import FailedShard, Text
from higgsdemo.results.candidates import CandidateTable
from higgsdemo.storage.documents import read_document
from higgsdemo.storage.object_store import DamagedError, ObjectStore, StorageError, StoredObject

LARGEST = 8 << 20  # bytes: the failures of 10,000 shards; at worst some 200 MB in memory, one at a time
FAULTS = 3  # that are named
Content = TypeVar("Content")
Count = Annotated[int, Ge(0), Le(10**9)]
Bins = Annotated[list[float], Len(1, 10_000)]


class JobsSeen(TypedDict, total=False):
    """A dataset's shards and pods by state, and what its pods wait for, as last seen in a cluster."""

    shards: dict[str, Count]
    pods: dict[str, Count]
    waiting: Text | None


class Done(BaseModel):
    """How many shards of a dataset have a result that counts."""

    done: Count


class DatasetDone(BaseModel):
    """A dataset in `RunSummary`."""

    shards: Done


class RunSummary(BaseModel):
    """What the page shows of summary.json."""

    datasets: dict[Text, DatasetDone]
    failures: list[FailedShard] = []
    discovery: Discovery | None = None
    predicted: Account | None = None
    took: Account | None = None


class Counted(BaseModel):
    """Numbers of events by bin, with their intervals."""

    counts: Bins
    low: Bins
    high: Bins


class Channel(BaseModel):
    """A channel of the plot, or a histogram of an own analysis with its axis."""

    label: Text | None = None
    low: float | None = None
    high: float | None = None
    bins: int | None = None
    data: Counted
    stack: dict[Text, Bins]
    error: Bins

    @model_validator(mode="after")
    def of_one_axis(self) -> Self:
        """Refuse lists whose length is not the number of bins."""
        lists = self.data.counts, self.data.low, self.data.high, self.error, *self.stack.values()
        if {len(numbers) for numbers in lists} != {self.bins or len(self.error)}:
            raise ValueError("its lists do not have a number for each bin")
        return self


class SpectrumChart(BaseModel):
    """spectrum.json: what `chart`, or `own_chart` without the axis and the yields, has made."""

    title: Text
    note: Text | None
    luminosity: Text
    low: float | None = None
    high: float | None = None
    bins: int | None = None
    window: tuple[float, float] | None = None
    channels: dict[Text, Channel]
    yields: dict[Text, dict[Text, Yield]] | None = None
    unassigned: dict[Text, dict[Text, Bins]] = {}
    coverage: float
    absent: list[Text]
    beyond: Text = ""
    certified: Text = ""
    differing: Text = ""
    candidates: CandidateTable | None = None


PROGRESS = TypeAdapter(dict[Text, JobsSeen])
RUN_SUMMARY, RUN_CHART = TypeAdapter(RunSummary), TypeAdapter(SpectrumChart)


class Documents:
    """What the documents say, as last seen; `faults` are those of the present pass, in words."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._known: dict[str, tuple[StoredObject, Any, str | None]] = {}

    def read(
        self, store: ObjectStore, stored: StoredObject | None, kind: TypeAdapter[Content]
    ) -> Content | None:
        """Return the content of a listed object, reading it again once it has changed; None for nothing."""
        if stored is None:
            return None
        known, content, fault = self._known.get(stored.key, (None, None, None))
        if known != stored:
            try:
                content, fault = read_document(store, stored.key, kind, LARGEST), None
            except DamagedError as error:
                content, fault = None, str(error)
            except StorageError as error:  # may be read the next time
                self.faults.append(str(error))
                return content
            self._known[stored.key] = stored, content, fault
        if fault:
            self.faults.append(fault)
        return content

    def of_clusters(
        self, store: ObjectStore, names: Iterable[str], key: Callable[[str], str], kind: TypeAdapter[Content]
    ) -> dict[str, Content | None]:
        """Return the documents of a kind, one per cluster."""
        stored = {found.key: found for found in store.list(key("").partition("/")[0])}
        return {name: self.read(store, stored.get(key(name)), kind) for name in names}


def in_words(faults: Sequence[str]) -> str | None:
    """Name what cannot be shown, only the first of many."""
    more = f"; and {len(faults) - FAULTS} objects more" if len(faults) > FAULTS else ""
    return "; ".join(faults[:FAULTS]) + more or None

"""The sums of results, exact: the same to the last bit in whatever order they are added.

Counts are integers. Seconds, luminosities and weights are added as fractions (every float is one) and rounded
to a float once, at the end. The sums are saved for later tasks, such as the plot.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le, Len
from numpy.typing import NDArray
from pydantic import AfterValidator, GetPydanticSchema, TypeAdapter
from pydantic_core import core_schema

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.datasets.certified import Ranges, unite
from higgsdemo.results.document import BINS, CHANNELS, Document, ResultDocument

SumsByDataset = Mapping[str, "DatasetSum"]


def _as_list(kind: type, number: Any) -> GetPydanticSchema:
    """Let an array be written as a list of numbers, and read again."""
    return GetPydanticSchema(
        lambda _, handler: core_schema.no_info_after_validator_function(
            partial(np.array, dtype=kind),
            handler.generate_schema(Annotated[list[number], Len(1)]),
            serialization=core_schema.plain_serializer_function_ser_schema(np.ndarray.tolist),
        )
    )


Whole = Annotated[int, Ge(0), Le(1 << 62)]
Counts = Annotated[NDArray[np.int64], _as_list(np.int64, Whole)]
Weights = Annotated[NDArray[np.float64], _as_list(np.float64, float)]


@dataclass(frozen=True)
class WeightSum:
    """The sums of events' weights."""

    processed: float
    """Of all events read."""
    sums: dict[str, Weights]
    """Of the selected events in the bins, by channel or histogram."""
    squares: dict[str, Weights]
    """The same of the weights squared."""


@dataclass(frozen=True)
class DatasetSum:
    """The sum of the merged shards of one dataset."""

    shards: Whole
    """Shards merged, including those in test mode."""
    computed: Whole
    """Shards whose events were really read: not those run in test mode."""
    processed: Whole
    """Events read."""
    counts: dict[str, Counts]
    """Selected events in the 37 bins, by channel, unweighted; none of an own analysis."""
    weights: WeightSum
    """With the events' own weights, which are 1 unless a result says otherwise; by channel or histogram."""
    luminosity: dict[str, float]
    """Luminosity in 1/ub that the shards state, by stream."""
    bytes: Annotated[int, Ge(0)]
    """Bytes staged in."""
    seconds: dict[str, float]
    """Seconds of pods' wall-clock time in `stage_in` and `compute`."""
    with_events: Whole
    """Shards with events."""
    branches: dict[str, Whole]
    """How many of them used each branch of full NanoAOD."""
    checked: Whole = 0
    """Events read by those that count only what is certified."""
    certified: Whole = 0
    """How many of these are certified."""
    sections: dict[int, Ranges] = field(default_factory=dict)
    """The luminosity sections that these are of, by run."""


def saved_sums(histograms: Sequence[HistogramSpec] | None) -> TypeAdapter[dict[str, DatasetSum]]:
    """Return the type of a run's saved sums, with the histograms that its campaign describes, if it does."""
    described = None if histograms is None else {spec.name: spec.bins for spec in histograms}
    bins = dict.fromkeys(CHANNELS, BINS) if described is None else described

    def check(total: DatasetSum) -> DatasetSum:
        filled: list[Mapping[str, NDArray[Any]]] = [total.weights.sums, total.weights.squares]
        if described is None:
            filled.append(total.counts)
        for part in filled:
            if {name: len(values) for name, values in part.items()} != bins:
                raise ValueError("other histograms than those of the run")
        return total

    return TypeAdapter(dict[str, Annotated[DatasetSum, AfterValidator(check)]])


class Sum:
    """A running sum of results."""

    def __init__(self) -> None:
        self._numbers = Counter(
            shards=0, computed=0, processed=0, bytes=0, with_events=0, checked=0, certified=0
        )
        self._counts: dict[str, NDArray[np.int64]] = {}
        self._weights: dict[str, _Exact] = {}
        self._squares: dict[str, _Exact] = {}
        self._weight_processed = Fraction(0)
        self._luminosity: dict[str, Fraction] = defaultdict(Fraction)
        self._stage_in = Fraction(0)
        self._compute = Fraction(0)
        self._branches = Counter[str]()
        self._sections: dict[int, Ranges] = {}

    def add(self, document: Document) -> None:
        """Add one result."""
        weights = document.weights if isinstance(document, ResultDocument) else None
        filled = document.filled
        _add(self._counts, document.counts)
        _add(self._weights, {name: one.contents for name, one in filled.items()})
        _add(self._squares, {name: one.squares for name, one in filled.items()})
        self._weight_processed += Fraction(weights.processed if weights else document.processed)
        self._numbers.update(shards=1, processed=document.processed, bytes=document.bytes)
        self._numbers["computed"] += not document.test_mode
        self._stage_in += Fraction(document.seconds.stage_in)
        self._compute += Fraction(document.seconds.compute)
        if document.processed and isinstance(document, ResultDocument):
            self._numbers["with_events"] += 1
            self._branches.update(set(document.branches))
        if document.certified:
            self._numbers.update(checked=document.processed, certified=document.certified.events)
            for run, ranges in document.certified.sections.items():
                self._sections[run] = unite([*self._sections.get(run, ()), *ranges])
        if document.lumi is not None and not document.test_mode:
            self._luminosity[document.lumi.stream] += Fraction(document.lumi.value)

    def total(self) -> DatasetSum:
        """Return the sum of what has been added so far."""
        return DatasetSum(
            **self._numbers,
            counts={name: values.copy() for name, values in self._counts.items()},
            weights=WeightSum(
                processed=float(self._weight_processed),
                sums=_rounded(self._weights),
                squares=_rounded(self._squares),
            ),
            luminosity={stream: float(value) for stream, value in sorted(self._luminosity.items())},
            seconds={"stage_in": float(self._stage_in), "compute": float(self._compute)},
            branches=dict(sorted(self._branches.items())),
            sections=dict(sorted(self._sections.items())),
        )


_Exact = NDArray[Any]
"""Integers, or fractions once one was added."""


def _add(total: dict[str, _Exact], part: Mapping[str, Sequence[float]]) -> None:
    for name, values in part.items():
        exact = _exact(values)
        total[name] = total[name] + exact if name in total else exact


def _exact(values: Sequence[float]) -> _Exact:
    if isinstance(values[0], int):
        return np.array(values, np.int64)
    return np.array([Fraction(value) if value else 0 for value in values], object)


def _rounded(histograms: Mapping[str, _Exact]) -> dict[str, NDArray[np.float64]]:
    return {name: values.astype(np.float64) for name, values in histograms.items()}

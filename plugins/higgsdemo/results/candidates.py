"""The events of data that results name, so that each counts once though two datasets, or two files, have it.

They are in a temporary database of SQLite, which keeps at most 2 MB of it in memory and the rest in a file
that nobody else sees: what a merge holds does not grow with the results.
"""

import csv
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Len
from pydantic import AfterValidator

from higgsdemo.catalogue import Catalogue
from higgsdemo.results.document import CHANNELS, Document, ResultDocument, bin_of
from higgsdemo.results.sums import DatasetSum, SumsByDataset
from higgsdemo.wording import printable

Text = Annotated[str, AfterValidator(printable)]

SHOWN = 200
"""Candidates that are listed where not all can be: 102 have been published."""

COLUMNS = ("run", "section", "event", "channel", "mass", "dataset")

# Of the datasets that fill a channel, the first one by name keeps an event.
_NUMBERED = """
    SELECT *, row_number() OVER (PARTITION BY channel, run, event ORDER BY dataset, mass, section) AS seen
    FROM candidate WHERE dataset || '/' || channel IN (SELECT value FROM json_each(:filled))
"""


@dataclass(frozen=True)
class CandidateTable:
    """How many events of data the results of a run name, and the first of them."""

    events: int
    """Named events, each once for each of its channels."""
    repeated: int
    """How often one of them was found again: in another dataset, or another file."""
    unnamed: int
    """Selected events of data whose results do not name them: one that two datasets share counts twice."""
    told: list[Text]
    """What a reader must know of the last two, in words."""
    shown: Annotated[list[tuple[int, int, int, Text, float, Text]], Len(0, SHOWN)]
    """Run, section, event, channel, mass in GeV, and dataset of the first, in the order of their numbers."""


class Candidates:
    """The candidates of the results read so far."""

    def __init__(self) -> None:
        self._unnamed = Counter[tuple[str, str]]()
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute(
            "CREATE TABLE candidate (run INT, section INT, event INT, channel TEXT, mass REAL, dataset TEXT)"
        )

    def add(self, dataset: str, document: Document) -> None:
        """Add those of one result."""
        if not isinstance(document, ResultDocument):
            return
        if document.candidates is None:
            self._unnamed.update(
                {(dataset, channel): sum(counts) for channel, counts in document.counts.items()}
            )
            return
        rows = ((*numbers, channel, mass, dataset) for channel, *numbers, mass in document.candidates)
        self._database.executemany("INSERT INTO candidate VALUES (?, ?, ?, ?, ?, ?)", rows)

    def once(self, sums: SumsByDataset, catalogue: Catalogue) -> dict[str, DatasetSum]:
        """Return the sums without the events that an earlier dataset of the catalogue has too.

        Only datasets of data in the channels that they fill are looked at: nothing else is counted.
        """
        found: dict[str, dict[str, np.ndarray[Any, np.dtype[np.int64]]]] = {}
        for dataset, channel, mass in self._ask("dataset, channel, mass", "seen > 1", catalogue):
            nothing = {channel: np.zeros_like(counts) for channel, counts in sums[dataset].counts.items()}
            found.setdefault(dataset, nothing)[channel][bin_of(mass)] += 1
        return dict(sums) | {name: _without(sums[name], repeated) for name, repeated in found.items()}

    def table(self, catalogue: Catalogue) -> CandidateTable:
        """Return how many there are, and the first."""
        ((found, named),) = self._ask("count(*), coalesce(sum(seen = 1), 0)", "1", catalogue)
        filled, repeated = _filled(catalogue), found - named
        unnamed = sum(number for place, number in self._unnamed.items() if "/".join(place) in filled)
        shown = list(islice(self._each(catalogue), SHOWN))
        return CandidateTable(named, repeated, unnamed, list(_tell(repeated, unnamed)), shown)

    def write(self, path: Path, catalogue: Catalogue) -> Path:
        """Write all of them as CSV."""
        with path.open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(COLUMNS)
            lines.writerows(self._each(catalogue))
        return path

    def _each(self, catalogue: Catalogue) -> Iterator[Any]:
        order = "seen = 1 ORDER BY run, section, event, channel"
        return self._ask(", ".join(COLUMNS), order, catalogue)

    def _ask(self, what: str, which: str, catalogue: Catalogue) -> Iterator[Any]:
        asked = f"SELECT {what} FROM ({_NUMBERED}) WHERE {which}"
        with closing(self._database.execute(asked, {"filled": json.dumps(_filled(catalogue))})) as rows:
            yield from rows


def _filled(catalogue: Catalogue) -> list[str]:
    """Return the datasets of data with the channels that they fill."""
    return [
        f"{name}/{channel}"
        for name, known in catalogue.datasets.items()
        for channel in (known.sample.channels if known.sample.datatype == "data" else ())
    ]


def _without(total: DatasetSum, repeated: Mapping[str, Any]) -> DatasetSum:
    """Return the sum without repeated events, which weigh 1."""

    def rest(values: Mapping[str, Any]) -> dict[str, Any]:
        return {channel: values[channel] - repeated[channel] for channel in CHANNELS}

    weights = replace(total.weights, sums=rest(total.weights.sums), squares=rest(total.weights.squares))
    return replace(total, counts=rest(total.counts), weights=weights)


def _tell(repeated: int, unnamed: int) -> Iterator[str]:
    for number, what in (
        (repeated, "found in a second dataset or file: counted once"),
        (unnamed, "not named by their results: one that two datasets share counts twice"),
    ):
        if number:
            yield f"{number:,} event{'s' if number > 1 else ''} of data {what}"

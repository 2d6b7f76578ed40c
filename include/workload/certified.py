"""The luminosity sections of data that count: those that CMS has certified, as the file CERTIFIED_JSON says.

A section is some 23 seconds of a run. The file has runs and their certified sections, first and last of each
range: `{"190645": [[10, 110]], "190704": [[1, 3], [5, 9]]}`. An event's section is in the branches `run` and
`luminosityBlock`.
"""

import json
from bisect import bisect
from collections.abc import Iterable
from functools import cache
from itertools import compress, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workload.errors import Misconfigured

RUN, SECTION = "run", "luminosityBlock"

Sections = frozenset[tuple[int, int]]  # pairs of run and section


class Certified:
    """The certified sections by run, as ranges: first and last, included, in order and without overlap."""

    def __init__(self, ranges: dict[int, list[list[int]]]) -> None:
        self._ranges = ranges

    def among(self, runs: NDArray[Any], sections: NDArray[Any]) -> tuple[NDArray[np.bool_], Sections]:
        """Mark the events that are certified, by their runs and sections; return as well those of these."""
        numbers = runs.astype(np.uint64) << np.uint64(32) | sections.astype(np.uint64)
        found, of_event = np.unique(numbers, return_inverse=True)
        places = [divmod(number, 1 << 32) for number in found.tolist()]
        certified = np.array([self._has(*place) for place in places], np.bool_)
        return certified[of_event], frozenset(compress(places, certified))

    def _has(self, run: int, section: int) -> bool:
        ranges = self._ranges.get(run, [])
        before = bisect(ranges, section, key=itemgetter(0))
        return before > 0 and section <= ranges[before - 1][1]


class Counted(NamedTuple):
    """What of a shard's data is certified: the number of events, and the sections that they are of."""

    events: int = 0
    sections: Sections = frozenset()

    def plus(self, events: int, sections: Sections) -> "Counted":
        """Add some events."""
        return Counted(self.events + events, self.sections | sections)

    def describe(self) -> dict[str, object]:
        """Return it as a result document has it: sections as `[run, [[first, last], ...]]`."""
        by_run: dict[int, list[int]] = {}
        for run, section in sorted(self.sections):
            by_run.setdefault(run, []).append(section)
        sections = [[run, in_ranges(of_run)] for run, of_run in by_run.items()]
        return {"events": self.events, "sections": sections}


def in_ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Return ascending numbers as ranges.

    >>> in_ranges([1, 2, 3, 7, 9, 10])
    [[1, 3], [7, 7], [9, 10]]
    """
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges


@cache
def read_certified(path: Path) -> Certified:
    """Read the file; raise `Misconfigured` when it is no such file."""
    try:
        ranges = {int(run): of_run for run, of_run in json.loads(path.read_bytes()).items()}
        for of_run in ranges.values():
            edges = [edge for first, last in of_run for edge in (first - 0.5, last)]
            if not edges or any(after <= before for before, after in pairwise(edges)):
                raise ValueError("its ranges are not in order")
        return Certified(ranges)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise Misconfigured(f"CERTIFIED_JSON {path} has no certified sections: {error}") from error

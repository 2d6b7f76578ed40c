"""Where a large file is cut into shards: at cluster boundaries of its tree, read from the file's directory.

ROOT writes a tree in clusters, after each of which every branch begins a new basket. Shards that meet at such
a boundary share no basket, so none is read twice. Only the directory, which lies in a few places of the file
and has some bytes for each basket, is read: kilobytes to a few megabytes of any file.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import IO, Any, TypeVar

import uproot

from higgsdemo.storage.object_store import PartsReader, StorageError

TREE = "Events"
Found = TypeVar("Found")
Range = tuple[int, int]  # the first entry and the one after the last


def entry_boundaries(file: IO[bytes] | PartsReader) -> list[int] | None:
    """Return the entries at which clusters begin, and the number of entries as the last.

    :returns: None for a file without such a tree: the pod that gets it whole reports what is wrong.
    :raises StorageError: as reading ``file`` does.
    """

    def boundaries(opened: Any) -> list[int]:
        tree = opened[TREE]
        return sorted({0, *map(int, tree.common_entry_offsets()), int(tree.num_entries)})

    return look_into(file, boundaries)


def look_into(file: IO[bytes] | PartsReader, ask: Callable[[Any], Found]) -> Found | None:
    """Return what a ROOT file says; None for a damaged one, or one without that; raise StorageError."""
    try:
        with uproot.open(file) as opened:
            return ask(opened)
    except StorageError:
        raise
    except Exception:  # noqa: BLE001  # a damaged file may raise any exception while it is decoded
        return None


def entry_ranges(boundaries: Sequence[int], about: int) -> list[Range]:
    """Cut a tree into ranges of about so many entries: as many as come nearest to it, of nearly equal size.

    Each cut is made at the boundary next to it. Where that is further away than half a range (a file of few
    clusters, or of none) it is made between, and the baskets there are read by both neighbours.

    >>> entry_ranges([0, 100, 200, 300, 400], 130)
    [(0, 100), (100, 300), (300, 400)]
    >>> entry_ranges([0, 400], 130)
    [(0, 133), (133, 267), (267, 400)]
    """
    entries = boundaries[-1]
    pieces = max(round(entries / about), 1)
    size = entries / pieces
    cuts = {0, entries, *(_nearest(boundaries, number * size, size / 2) for number in range(1, pieces))}
    return list(pairwise(sorted(cuts)))


def _nearest(boundaries: Sequence[int], wanted: float, reach: float) -> int:
    after = bisect_left(boundaries, wanted)
    nearest = min(boundaries[max(after - 1, 0) : after + 1], key=lambda boundary: abs(boundary - wanted))
    return nearest if abs(nearest - wanted) <= reach else round(wanted)

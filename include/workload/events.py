"""Read the leptons of NanoAOD files, some thousand events at a time.

Reduced NanoAOD (CERN Open Data record 12360) is a TTree `Events` with a flat list of muons and one of
electrons per event; full NanoAOD has more of both. Which branches are needed, and which are used where a file
has them, the rules say (`workload.rules`). Everything that can be wrong with a file surfaces here as
`BadInput`, so that the selection can rely on its arrays.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from workload.byte_ranges import ByteRanges
from workload.certified import RUN, SECTION, Certified, Sections
from workload.errors import BadInput, WorkloadError
from workload.remote import Remote
from workload.rules import RULES, Rules

TREE = "Events"
CHUNK_EVENTS = 100_000
"""Events read at a time: about 40 MB of leptons in the open data."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SIMULATED = "Simulated events, not CMS collisions"
"""The tree's title in files of the demo's generator."""

WEIGHT = "genWeight"
"""The branch of the generator's weights, in full NanoAOD."""
NUMBERS = (RUN, SECTION, "event")
"""The branches that name an event."""

LARGEST_WEIGHT = 1e9
"""Of an event: a million of these add up to the 10^15 that a result may hold."""


@dataclass(frozen=True, slots=True)
class Leptons:
    """The muons or the electrons of consecutive events, one after another.

    `counts` has the number of leptons of each event, each column a value for each lepton (`rules.Columns`).
    """

    counts: Integers
    columns: dict[str, Floats]

    def __getitem__(self, branch: str) -> Floats:
        return self.columns[branch]


class Wanted(NamedTuple):
    """What is read of a file besides the leptons that the rules ask for.

    `certified` are the sections whose events count, all events for None; `triggers` the branches of trigger
    bits, of which an event needs one, if any are named; `numbers` asks for the names of events, which those
    of a generator do not have.
    """

    rules: Rules = next(iter(RULES.values()))
    certified: Certified | None = None
    triggers: tuple[str, ...] = ()
    numbers: bool = False


LEVEL_4 = Wanted()


class Events(NamedTuple):
    """The leptons of consecutive events."""

    muons: Leptons
    electrons: Leptons
    weights: Floats | None = None
    """The generator's, of each event."""
    triggered: NDArray[np.bool_] | None = None
    """Whether each event has one of the wanted trigger bits; None where none are named."""
    numbers: Integers | None = None
    """Run, section and number of each event (n, 3), where they are wanted and the file has them."""
    branches: tuple[str, ...] = ()
    """Those of trigger bits, and those that not every file has, that are used."""
    simulated: bool = False
    """Whether the file says that the demo's generator made it."""
    left_out: int = 0
    """How many more were read, which are not certified."""
    sections: Sections | None = None
    """Those of these events, where only certified ones count."""


def read_events(
    source: Path | Remote, name: str, entries: tuple[int, int] | None = None, wanted: Wanted = LEVEL_4
) -> Iterator[Events]:
    """Read a file, or an object where it lies, chunk by chunk.

    :param name: what messages call it.
    :param entries: the first entry and the one after the last; all for None.
    :raises BadInput: when it is no ROOT file, is damaged, lacks the tree, a branch or entries, or a weight is
        not a number; and what `Remote.read` raises.
    """
    certified = wanted.certified
    try:
        with _opened(source) as file:
            tree = _tree(file, name)
            start, stop = entries or (0, tree.num_entries)
            if stop > tree.num_entries:
                raise BadInput(f"{name}: no entries {start} to {stop}: its tree has {tree.num_entries}")
            present = set(tree.keys())
            needed = _needed(present, wanted, name)
            more = (*wanted.rules.branches(optional=True), WEIGHT)
            used = tuple(branch for branch in more if branch in present and branch not in needed)
            named = wanted.numbers and WEIGHT not in used and present.issuperset(NUMBERS)
            asked = {*needed, *used, *(NUMBERS if named else ())}
            for chunk in tree.iterate(asked, step_size=CHUNK_EVENTS, entry_start=start, entry_stop=stop):
                read, sections = len(chunk), None
                if certified:
                    counts, sections = certified.among(chunk[RUN].to_numpy(), chunk[SECTION].to_numpy())
                    chunk = chunk[counts]
                yield Events(
                    _leptons(chunk, "Muon"),
                    _leptons(chunk, "Electron"),
                    _weights(chunk, name) if WEIGHT in used else None,
                    _any_of(chunk, wanted.triggers),
                    _numbers(chunk) if named else None,
                    (*used, *wanted.triggers),
                    tree.title == SIMULATED,
                    read - len(chunk),
                    sections,
                )
    except (WorkloadError, MemoryError):
        raise
    except Exception as error:  # a damaged file may raise any exception while it is decoded
        raise BadInput(f"{name}: not a readable ROOT file ({_first_line(error)})") from error


def _needed(present: set[str], wanted: Wanted, name: str) -> list[str]:
    """Return the branches without which a file cannot be used; raise `BadInput` for one that lacks any."""
    needed = [*wanted.rules.branches(optional=False), *wanted.triggers]
    needed += [RUN, SECTION] if wanted.certified else []
    missing = sorted(set(needed) - present)
    if missing:
        why = f": {RUN} and {SECTION} tell which events are certified" if wanted.certified else ""
        if not set(missing).isdisjoint(wanted.triggers):
            why = ": the campaign's triggers are branches of every file"
        raise BadInput(f"{name}: tree {TREE} lacks {', '.join(missing)}{why}")
    return needed


def _opened(source: Path | Remote) -> Any:
    if isinstance(source, Path):
        return uproot.open(source)
    return uproot.open({source.url: None}, handler=ByteRanges, remote=source)


def _tree(file: Any, name: str) -> Any:
    kinds = file.classnames(recursive=False, cycle=False)
    if TREE not in kinds:
        raise BadInput(f"{name}: no tree {TREE}, only {', '.join(sorted(kinds)) or 'an empty file'}")
    if kinds[TREE] != "TTree":
        raise BadInput(f"{name}: {TREE} is a {kinds[TREE]}, not a TTree")
    return file[TREE]


def _weights(chunk: Any, name: str) -> Floats:
    weights: Floats = chunk[WEIGHT].to_numpy().astype(np.float64)
    wrong = weights[~(np.abs(weights) <= LARGEST_WEIGHT)]
    if len(wrong):
        raise BadInput(
            f"{name}: {WEIGHT} of {len(wrong)} events is not between -{LARGEST_WEIGHT:g} and "
            f"{LARGEST_WEIGHT:g}: the first is {wrong[0]}"
        )
    return weights


def _numbers(chunk: Any) -> Integers:
    return np.stack([chunk[branch].to_numpy().astype(np.int64) for branch in NUMBERS], axis=1)


def _any_of(chunk: Any, triggers: tuple[str, ...]) -> NDArray[np.bool_] | None:
    if not triggers:
        return None
    fired: NDArray[np.bool_] = np.any([chunk[branch].to_numpy() > 0 for branch in triggers], axis=0)
    return fired


def _leptons(chunk: Any, collection: str) -> Leptons:
    columns: dict[str, Floats] = {}
    branches = [branch for branch in chunk.fields if branch.startswith(f"{collection}_")]
    first = f"{collection}_pt"
    counts: Integers = np.zeros(0, np.int64)
    for branch in sorted(branches, key=lambda branch: branch != first):
        values = chunk[branch]
        if values.ndim != 2:
            raise BadInput(f"branch {branch} is not a list of numbers per event")
        lengths = ak.num(values).to_numpy()
        if branch != first and not np.array_equal(lengths, counts):
            raise BadInput(f"branch {branch} has not as many values as {first}")
        counts = lengths
        columns[branch.removeprefix(f"{collection}_")] = ak.flatten(values).to_numpy().astype(np.float64)
    return Leptons(counts, columns)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)

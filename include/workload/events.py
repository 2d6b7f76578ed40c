"""Read the leptons of reduced NanoAOD files, some thousand events at a time.

Reduced NanoAOD (CERN Open Data record 12360) is a TTree `Events` with a flat list of muons and one of
electrons per event. Full NanoAOD has more of what level 4 looks at: `OPTIONAL` branches are read where they
exist. Everything that can be wrong with a file surfaces here as `BadInput`, so that the selection can rely on
its arrays.
"""

from collections.abc import Iterator
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

TREE = "Events"
CHUNK_EVENTS = 100_000
"""Events read at a time: about 40 MB of leptons in the open data."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SIMULATED = "Simulated events, not CMS collisions"
"""The tree's title in files of the demo's generator."""

WEIGHT = "genWeight"
OPTIONAL = (
    "Muon_isGlobal",
    "Muon_isPFcand",
    "Electron_lostHits",
    "Electron_deltaEtaSC",
    WEIGHT,
)
"""Branches of full NanoAOD: flags, missing inner hits, eta from track to supercluster, the event's weight."""

LARGEST_WEIGHT = 1e9
"""Of an event: a million of these add up to the 10^15 that a result may hold."""

_ISOLATION = {"Muon": "pfRelIso04_all", "Electron": "pfRelIso03_all"}


class Leptons(NamedTuple):
    """The muons or the electrons of consecutive events, one after another.

    `counts` has the number of leptons of each event, every other column a value for each lepton: pt in GeV,
    phi in rad, dxy and dz (impact parameters to the primary vertex) and their errors in cm, iso relative to
    pt, charge -1 or 1. Where the file has them, `identified` marks global particle-flow muons, and electrons
    with at most one missing inner hit, and `eta_sc` is eta of the electron's supercluster.
    """

    counts: Integers
    pt: Floats
    eta: Floats
    phi: Floats
    charge: Floats
    dxy: Floats
    dz: Floats
    dxyErr: Floats
    dzErr: Floats
    iso: Floats
    identified: NDArray[np.bool_] | None = None
    eta_sc: Floats | None = None


FIELDS = Leptons._fields[1:10]


class Events(NamedTuple):
    """The leptons of consecutive events."""

    muons: Leptons
    electrons: Leptons
    weights: Floats | None = None
    """The generator's, of each event."""
    optional: tuple[str, ...] = ()
    """The branches of `OPTIONAL` that the file has."""
    simulated: bool = False
    """Whether the file says that the demo's generator made it."""
    left_out: int = 0
    """How many more were read, which are not certified."""
    sections: Sections | None = None
    """Those of these events, where only certified ones count."""


def branch_of(collection: str, field: str) -> str:
    """Return the branch that holds a field of `Muon` or `Electron`; their isolation cones differ."""
    return f"{collection}_{_ISOLATION[collection] if field == 'iso' else field}"


def read_events(
    source: Path | Remote,
    name: str,
    entries: tuple[int, int] | None = None,
    certified: Certified | None = None,
) -> Iterator[Events]:
    """Read a file, or an object where it lies, chunk by chunk.

    :param name: what messages call it.
    :param entries: the first entry and the one after the last; all for None.
    :param certified: the sections whose events count; all events for None.
    :raises BadInput: when it is no ROOT file, is damaged, lacks the tree, a branch or entries, or a weight is
        not a number; and what `Remote.read` raises.
    """
    try:
        with _opened(source) as file:
            tree = _tree(file, name)
            start, stop = entries or (0, tree.num_entries)
            if stop > tree.num_entries:
                raise BadInput(f"{name}: no entries {start} to {stop}: its tree has {tree.num_entries}")
            wanted = [branch_of(collection, field) for collection in _ISOLATION for field in FIELDS]
            wanted += [RUN, SECTION] if certified else []
            missing = sorted(set(wanted) - set(tree.keys()))
            if missing:
                of_sections = f": {RUN} and {SECTION} tell which events are certified" if certified else ""
                raise BadInput(f"{name}: tree {TREE} lacks {', '.join(missing)}{of_sections}")
            present = set(tree.keys())
            optional = tuple(branch for branch in OPTIONAL if branch in present)
            wanted += optional
            for chunk in tree.iterate(wanted, step_size=CHUNK_EVENTS, entry_start=start, entry_stop=stop):
                read, sections = len(chunk), None
                if certified:
                    counts, sections = certified.among(chunk[RUN].to_numpy(), chunk[SECTION].to_numpy())
                    chunk = chunk[counts]
                yield Events(
                    _leptons(chunk, "Muon"),
                    _leptons(chunk, "Electron"),
                    _weights(chunk, name) if WEIGHT in optional else None,
                    optional,
                    tree.title == SIMULATED,
                    read - len(chunk),
                    sections,
                )
    except (WorkloadError, MemoryError):
        raise
    except Exception as error:  # a damaged file may raise any exception while it is decoded
        raise BadInput(f"{name}: not a readable ROOT file ({_first_line(error)})") from error


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


def _leptons(chunk: Any, collection: str) -> Leptons:
    counts: Integers | None = None
    columns: dict[str, Floats] = {}
    flags = [branch for branch in OPTIONAL if branch.startswith(collection) and branch in chunk.fields]
    for branch in (*(branch_of(collection, field) for field in FIELDS), *flags):
        values = chunk[branch]
        if values.ndim != 2:
            raise BadInput(f"branch {branch} is not a list of numbers per event")
        lengths = ak.num(values).to_numpy()
        if counts is not None and not np.array_equal(lengths, counts):
            raise BadInput(f"branch {branch} has not as many values as {branch_of(collection, FIELDS[0])}")
        counts = lengths
        columns[branch] = ak.flatten(values).to_numpy().astype(np.float64)
    needed = [columns[branch_of(collection, field)] for field in FIELDS]
    identified = np.ones(len(needed[0]), np.bool_)
    found = Leptons._make([counts, *needed, identified, None])
    for branch in flags:
        if branch == "Electron_deltaEtaSC":
            found = found._replace(eta_sc=found.eta + columns[branch])
        elif branch == "Electron_lostHits":
            identified &= columns[branch] <= 1
        else:
            identified &= columns[branch] > 0
    return found


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)

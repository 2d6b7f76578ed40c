"""Read the leptons of reduced NanoAOD files, some thousand events at a time.

Reduced NanoAOD (CERN Open Data record 12360) is a TTree `Events` with a flat list of muons and one of
electrons an event. Everything that can be wrong with a file surfaces here, as `BadInput`, so that the
selection works on arrays it can rely on.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
import uproot

from workload.errors import BadInput

TREE = "Events"
CHUNK_EVENTS = 100_000
"""Events read at a time: about 40 MB of leptons in the open data."""

FIELDS = ("pt", "eta", "phi", "charge", "dxy", "dz", "dxyErr", "dzErr", "iso")
_ISOLATION = {"Muon": "pfRelIso04_all", "Electron": "pfRelIso03_all"}


class Events(NamedTuple):
    """Some consecutive events: for each, a list of muons and a list of electrons.

    Both are awkward arrays `size * var * {pt, eta, phi, charge, dxy, dz, dxyErr, dzErr, iso}` in float64;
    pt in GeV, phi in rad, dxy and dz (impact parameters to the primary vertex) and their errors in cm,
    iso relative to pt.
    """

    muons: ak.Array
    electrons: ak.Array


def branch_of(collection: str, field: str) -> str:
    """The branch that holds a field of `Muon` or `Electron`; their isolation cones differ."""
    return f"{collection}_{_ISOLATION[collection] if field == 'iso' else field}"


def read_events(path: Path, name: str) -> Iterator[Events]:
    """Read a file chunk by chunk; `name` is what messages call it.

    Raises `BadInput` when it is not a ROOT file, is damaged, or lacks the tree or a branch.
    """
    try:
        with uproot.open(path) as file:
            tree = _tree(file, name)
            wanted = [branch_of(collection, field) for collection in _ISOLATION for field in FIELDS]
            missing = sorted(set(wanted) - set(tree.keys()))
            if missing:
                raise BadInput(f"{name}: tree {TREE} lacks {', '.join(missing)}")
            for chunk in tree.iterate(wanted, step_size=CHUNK_EVENTS):
                yield Events(_leptons(chunk, "Muon"), _leptons(chunk, "Electron"))
    except (BadInput, MemoryError):
        raise
    except Exception as error:  # a damaged file fails anywhere in the decoding, with any exception
        raise BadInput(f"{name}: not a readable ROOT file ({_first_line(error)})") from error


def _tree(file: Any, name: str) -> Any:
    kinds = file.classnames(recursive=False, cycle=False)
    if TREE not in kinds:
        raise BadInput(f"{name}: no tree {TREE}, only {', '.join(sorted(kinds)) or 'an empty file'}")
    if kinds[TREE] != "TTree":
        raise BadInput(f"{name}: {TREE} is a {kinds[TREE]}, not a TTree")
    return file[TREE]


def _leptons(chunk: ak.Array, collection: str) -> ak.Array:
    fields = {field: chunk[branch_of(collection, field)] for field in FIELDS}
    for field, values in fields.items():
        if values.ndim != 2:
            raise BadInput(f"branch {branch_of(collection, field)} is not a list of numbers per event")
    return ak.values_astype(ak.zip(fields), np.float64)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)

"""Write events as a reduced-NanoAOD file: a TTree `Events` with lists of muons and electrons."""

import io
from collections.abc import Iterable
from typing import Any

import awkward as ak
import numpy as np
import uproot
from awkward.contents import ListOffsetArray, NumpyArray, RecordArray
from awkward.index import Index64

from generator.detector import Reconstructed
from generator.leptons import ELECTRON, MUON, Integers

TITLE = "Simulated events, not CMS collisions"
COMPRESSION = uproot.ZLIB(1)  # by its checksum damage is noticed; ZSTD has none in ROOT files

_LEPTON = (
    "var * {{pt: float32, eta: float32, phi: float32, mass: float32, charge: int32, {isolation}: float32, "
    "dxy: float32, dz: float32, dxyErr: float32, dzErr: float32}}"
)
_TYPES = {
    "run": np.dtype(np.int32),
    "luminosityBlock": np.dtype(np.uint32),
    "event": np.dtype(np.uint64),
    "Muon": ak.types.from_datashape(_LEPTON.format(isolation="pfRelIso04_all"), highlevel=False),
    "Electron": ak.types.from_datashape(_LEPTON.format(isolation="pfRelIso03_all"), highlevel=False),
}
_COLLECTIONS = {"Muon": (MUON, 0.10566, "pfRelIso04_all"), "Electron": (ELECTRON, 0.000511, "pfRelIso03_all")}


def root_file(leptons: Reconstructed, n: int, run: int, first_event: int) -> bytes:
    """Return a ROOT file with `n` events, numbered from `first_event`.

    Equal input gives equal events but not equal bytes: ROOT files carry a date and a random identifier.
    """
    content = io.BytesIO()
    with uproot.recreate(content, compression=COMPRESSION) as file:
        write_events(file, [(leptons, n)], run, first_event)
        return content.getvalue()  # before uproot closes the buffer; it has nothing left to write


def write_events(
    file: Any, clusters: Iterable[tuple[Reconstructed, int]], run: int, first_event: int
) -> None:
    """Write the tree to a file that uproot has open: each of `clusters`, with its number of events."""
    tree = file.mktree("Events", _TYPES, title=TITLE)
    for leptons, n in clusters:
        tree.extend(
            {
                "run": np.full(n, run, np.int32),
                "luminosityBlock": np.ones(n, np.uint32),
                "event": np.arange(first_event, first_event + n, dtype=np.uint64),
                **{name: _lists(leptons, name, n) for name in _COLLECTIONS},
            }
        )
        first_event += n


def _lists(leptons: Reconstructed, collection: str, n: int) -> Any:
    flavour, mass, isolation = _COLLECTIONS[collection]
    chosen = leptons.flavour == flavour
    counts: Integers = np.bincount(leptons.event[chosen], minlength=n)
    columns: dict[str, Any] = {
        field: getattr(leptons, field)[chosen].astype(np.float32)
        for field in ("pt", "eta", "phi", "dxy", "dz", "dxyErr", "dzErr")
    }
    columns["mass"] = np.full(chosen.sum(), mass, np.float32)
    columns["charge"] = leptons.charge[chosen].astype(np.int32)
    columns[isolation] = leptons.iso[chosen].astype(np.float32)
    offsets = np.concatenate(([0], np.cumsum(counts)))
    fields = RecordArray([NumpyArray(column) for column in columns.values()], list(columns))
    return ak.Array(ListOffsetArray(Index64(offsets), fields))  # a tenth of the time of `ak.zip`

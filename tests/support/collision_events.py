"""Turns real four-lepton collision events into reduced-NanoAOD files, to run campaigns on real input.

The events are CMS collisions of 2012 after the four-lepton preselection, one a line with the four leptons
and their invariant mass `M`; they lie beside the checkout and are not part of it. A file's leptons come
from the columns pt, eta, phi in single precision, as the format stores them (the constants 0.10566 and
0.000511 GeV stand in its mass branch). Isolation and impact parameters are not in the lines: every lepton
counts as perfectly isolated and prompt. Nor are luminosity sections: a million
event numbers of a run stand for one.
"""

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

DIRECTORY = Path(__file__).resolve().parents[3] / "shared" / "data"
CHANNELS = ("4mu", "4e", "2e2mu")

requires_collision_events = pytest.mark.skipif(
    not all((DIRECTORY / f"{channel}_2012.csv").is_file() for channel in CHANNELS),
    reason=f"no collision events in {DIRECTORY}: needs {', '.join(f'{c}_2012.csv' for c in CHANNELS)}",
)

_ISOLATION = {"Muon": "pfRelIso04_all", "Electron": "pfRelIso03_all"}
_PID = {"Muon": 13, "Electron": 11}
_MASS = {"Muon": 0.10566, "Electron": 0.000511}


def read_events(channel: str) -> Any:
    """Return the events of one channel as a structured array with the file's column names."""
    return np.genfromtxt(DIRECTORY / f"{channel}_2012.csv", delimiter=",", names=True)


def mass_histogram(channel: str) -> list[int]:
    """Return the column `M` of a channel in 37 bins of 3 GeV from 70 to 181 GeV."""
    counts = [0] * 37
    for mass in read_events(channel)["M"]:
        if 70 <= mass < 181:
            counts[int((mass - 70) // 3)] += 1
    return counts


def write_nanoaod(channel: str, directory: Path, files: int = 1) -> list[Path]:
    """Write the events of a channel to `files` files `<channel>_<i>.root`; returns their paths."""
    events = read_events(channel)
    paths = []
    for i, part in enumerate(np.array_split(np.arange(len(events)), files)):
        path = directory / f"{channel}_{i}.root"
        _write(path, events[part])
        paths.append(path)
    return paths


def _write(path: Path, events: Any) -> None:
    content = {
        "run": events["Run"].astype(np.int32),
        "luminosityBlock": events["Event"].astype(np.uint32) // 1_000_000 + 1,
        "event": events["Event"].astype(np.uint64),
        **{name: _collection(events, name) for name in _PID},
    }
    with uproot.recreate(path) as file:
        types = {
            name: getattr(values, "dtype", None) or values.type.content for name, values in content.items()
        }
        file.mktree("Events", types, title="CMS collision events of 2012")
        file["Events"].extend(content)


def _collection(events: Any, name: str) -> ak.Array:
    pid = np.stack([events[f"PID{i}"] for i in range(1, 5)], axis=1)
    mine = np.abs(pid) == _PID[name]
    counts = mine.sum(axis=1)

    def column(prefix: str) -> Any:
        return np.stack([events[f"{prefix}{i}"] for i in range(1, 5)], axis=1)[mine]

    leptons = {field: column(field).astype(np.float32) for field in ("pt", "eta", "phi")}
    leptons["mass"] = np.full(mine.sum(), _MASS[name], np.float32)
    leptons["charge"] = column("Q").astype(np.int32)
    leptons[_ISOLATION[name]] = np.zeros(mine.sum(), np.float32)
    for field, value in {"dxy": 0, "dz": 0, "dxyErr": 1, "dzErr": 1}.items():
        leptons[field] = np.full(mine.sum(), value, np.float32)
    return ak.zip({field: ak.unflatten(values, counts) for field, values in leptons.items()})

"""Pseudo-data whose selected spectrum is the published one, event for event.

102 four-lepton events are distributed over the data files, in the bins in which the CMS example finds them;
everything else in a file fails the selection. The demo's plot thus shows the published points, where a
random sample would show another fluctuation.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from generator.catalogue import Dataset
from generator.detector import Reconstructed, reconstruct
from generator.kinematics import Floats
from generator.leptons import ELECTRON, MUON, Integers
from generator.processes import FLAVOURS, dileptons, four_leptons
from workload.events import Leptons
from workload.histogram import EDGES
from workload.selection import CHANNELS, Candidates, select

PUBLISHED = (
    0, 0, 0, 1, 2, 8, 16, 12, 8, 1, 3, 0, 0, 2, 1, 0, 3, 3, 7, 2,
    0, 0, 2, 2, 4, 3, 1, 1, 2, 2, 3, 3, 0, 1, 3, 3, 3,
)  # fmt: skip
"""Events in data per bin of `workload.histogram`, 2011 and 2012 together: 102 (CMS open data example)."""

CHANNEL_SHARES = {"4mu": 0.35, "4e": 0.18, "2e2mu": 0.47}
_TRIES = 100
"""Toy events made at a time until one is selected with the wanted mass."""


class Assigned(NamedTuple):
    """One published event: its bin, its channel, and the file of a dataset that holds it."""

    bin: int
    channel: str
    dataset: str
    file: int


def assign(datasets: Iterable[Dataset], seed: int) -> list[Assigned]:
    """Distribute the published events over the data files, in proportion to the datasets' files.

    Deterministic in `seed`; a channel's events go to the datasets whose trigger records it.
    """
    rng = np.random.default_rng([seed, sum(PUBLISHED)])
    bins = np.repeat(np.arange(len(PUBLISHED)), PUBLISHED)
    channels = rng.choice(CHANNELS, len(bins), p=[CHANNEL_SHARES[channel] for channel in CHANNELS])
    assigned = []
    for bin_, channel in zip(bins, channels, strict=True):
        homes = [d for d in datasets if d.group == "data" and channel in d.channels]
        file = int(rng.integers(sum(d.files for d in homes)))
        while file >= homes[0].files:
            file -= homes.pop(0).files
        assigned.append(Assigned(int(bin_), str(channel), homes[0].name, file))
    return assigned


def pseudodata(rng: np.random.Generator, dataset: Dataset, wanted: list[Assigned], n: int) -> Reconstructed:
    """Make `n` events of a data file: the wanted ones at random places among unselected ones."""
    places = rng.permutation(n)
    background = _background(rng, dataset, n - len(wanted))
    parts = [(background, places[len(wanted) :])]
    missing = np.arange(len(wanted))
    while len(missing):
        found, toys = _try(rng, [wanted[i] for i in missing])
        parts.append((toys, places[missing[found]]))
        missing = np.delete(missing, found)
    return _merge(parts)


def selected(leptons: Reconstructed, n: int) -> dict[str, Candidates]:
    """Return what the workload selects of `n` events as it will read them, in single precision."""
    collections = []
    for flavour, isolation in ((MUON, "pfRelIso04_all"), (ELECTRON, "pfRelIso03_all")):
        chosen = leptons.flavour == flavour
        counts = np.bincount(leptons.event[chosen], minlength=n)
        columns = {
            isolation if field == "iso" else field: column[chosen].astype(np.float32).astype(np.float64)
            for field, column in leptons._asdict().items()
        }
        collections.append(Leptons(counts, columns))
    muons, electrons = collections
    return select(muons, electrons)


def _try(rng: np.random.Generator, wanted: list[Assigned]) -> tuple[Integers, Reconstructed]:
    """Make toy events for the wanted ones, and return the positions and events of those that succeed.

    An event succeeds if it is selected in the wanted channel and no other, with a mass in the wanted bin.
    """
    bins = np.repeat([event.bin for event in wanted], _TRIES)
    flavours = np.repeat([FLAVOURS[event.channel] for event in wanted], _TRIES, axis=0)
    toys = reconstruct(rng, four_leptons(rng, rng.uniform(EDGES[bins], EDGES[bins + 1]), flavours))
    times_selected = np.zeros(len(bins), np.int64)
    as_wanted = np.zeros(len(bins), bool)
    for channel, (event, mass) in selected(toys, len(bins)).items():
        times_selected[event] += 1
        in_bin = (mass >= EDGES[bins[event]]) & (mass < EDGES[bins[event] + 1])
        in_channel = np.array([wanted[i].channel == channel for i in event // _TRIES], bool)
        as_wanted[event] |= in_bin & in_channel
    successes = np.flatnonzero(as_wanted & (times_selected == 1))
    found, first = np.unique(successes // _TRIES, return_index=True)
    return found, _of_events(toys, np.isin(np.arange(len(bins)), successes[first]))


def _background(rng: np.random.Generator, dataset: Dataset, n: int) -> Reconstructed:
    """Make `n` events of the dataset's trigger, none of which is selected in any channel."""
    flavour = MUON if "4mu" in dataset.channels else ELECTRON
    spare = n + n // 100 + 10
    toys = reconstruct(rng, dileptons(rng, spare, flavour))
    rejected = np.ones(spare, bool)
    for candidates in selected(toys, spare).values():
        rejected[candidates.event] = False
    return _of_events(toys, rejected & (np.cumsum(rejected) <= n))


def _of_events(leptons: Reconstructed, keep: NDArray[np.bool_]) -> Reconstructed:
    """Return the leptons of the events to keep, numbered anew from 0."""
    number = np.cumsum(keep) - 1
    rows = keep[leptons.event]
    return Reconstructed._make([number[leptons.event[rows]], *(column[rows] for column in leptons[1:])])


def _merge(parts: list[tuple[Reconstructed, Integers]]) -> Reconstructed:
    """Join events; the second of each pair is the new number of each event of the first."""
    columns: list[Floats] = [
        np.concatenate(column)
        for column in zip(*((places[part.event], *part[1:]) for part, places in parts), strict=True)
    ]
    order = np.lexsort((-columns[3], columns[0]))
    return Reconstructed._make(column[order] for column in columns)

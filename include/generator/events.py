"""Which events go into which file, seeded so that every file can be made alone and again.

A file's random numbers depend only on the seed, the dataset's name and the file's number, so files can be
written in any order, in parallel, or one at a time.
"""

import zlib

import numpy as np

from generator.catalogue import Dataset, demo_datasets
from generator.detector import Reconstructed, reconstruct
from generator.leptons import Leptons
from generator.processes import drell_yan, higgs, ttbar, zz
from generator.pseudodata import assign, pseudodata


def simulate(dataset: Dataset, file: int, n: int, seed: int) -> Reconstructed:
    """Return the `n` events of file number `file`; raise ValueError for a group that has no process."""
    rng = np.random.default_rng([seed, zlib.crc32(dataset.name.encode()), file])
    if dataset.group == "data":
        published = assign(demo_datasets(), seed)
        here = [event for event in published if (event.dataset, event.file) == (dataset.name, file)]
        return pseudodata(rng, dataset, here, n)
    return reconstruct(rng, _process(rng, dataset, n))


def _process(rng: np.random.Generator, dataset: Dataset, n: int) -> Leptons:
    match dataset.group:
        case "higgs":
            return higgs(rng, n, dataset.channels)
        case "zz":
            return zz(rng, n, dataset.channels)
        case "dy":
            return drell_yan(rng, n)
        case "ttbar":
            return ttbar(rng, n)
    raise ValueError(f"dataset {dataset.name}: no process for group {dataset.group!r}")

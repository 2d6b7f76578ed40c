"""The campaign's histogram: four-lepton mass, 37 bins of 3 GeV from 70 to 181 GeV.

Counts are unweighted integers, so that shards add up exactly in any order; the merge weights them.
"""

import numpy as np
from numpy.typing import NDArray

BINS = 37
EDGES: NDArray[np.float64] = np.linspace(70.0, 181.0, BINS + 1)
"""Bin edges in GeV; a bin holds its lower edge and not its upper one, as in ROOT."""


def inside(masses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the masses in GeV that are in a bin."""
    found: NDArray[np.bool_] = (masses >= EDGES[0]) & (masses < EDGES[-1])
    return found


def histogram(masses: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count masses in GeV into the bins; those outside of 70 to 181 GeV are left out."""
    bins = np.searchsorted(EDGES, masses[inside(masses)], side="right") - 1
    counts: NDArray[np.int64] = np.bincount(bins, minlength=BINS)
    return counts


def weighted(masses: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add up the weights of masses in GeV in the bins."""
    counted = inside(masses)
    bins = np.searchsorted(EDGES, masses[counted], side="right") - 1
    return np.bincount(bins, weights[counted], minlength=BINS).astype(np.float64)

"""The result document of a shard: what the merge needs, and enough to find the shard again.

The histograms keep the names of the original analysis, so results of both workloads merge alike.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workload import WORKLOAD
from workload.certified import Counted
from workload.histogram import BINS
from workload.manifest import Shard
from workload.selection import CHANNELS

HISTOGRAMS = {"4mu": "mass4mu_8TeV_low", "4e": "mass4e_8TeV_low", "2e2mu": "mass2mu2e_8TeV_low"}
"""For each channel, the name of its histogram in the document."""


MOST_CANDIDATES = 2000
"""That a document names, in some 120 kB: one that has more names none."""

Candidate = tuple[str, int, int, int, float]
"""Channel, run, luminosity section, number of the event, and mass in GeV."""


class Analysis(NamedTuple):
    """What the selection made of a shard: events read, and for each channel a histogram."""

    processed: int
    histograms: dict[str, NDArray[np.int64]]
    weights: dict[str, Any] | None = None
    """Where events have generator weights: their sum, and by channel and bin `sums` and `squares`."""
    branches: tuple[str, ...] = ()
    """The branches that not every file has, and trigger bits, that were used."""
    simulated: bool = False
    certified: Counted | None = None
    """Where only certified events count."""
    candidates: list[Candidate] | None = None
    """The selected events in the histograms, of data that number their events."""


def nothing() -> Analysis:
    """Return the analysis of no event at all."""
    return Analysis(0, {channel: np.zeros(BINS, np.int64) for channel in CHANNELS})


def result_document(
    shard: Shard,
    dataset: str,
    analysis: Analysis,
    *,
    received: int,
    stage_in: float,
    compute: float,
    test_mode: bool,
    rules: str | None = None,
    used: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the document of one shard; `received` is in bytes, `stage_in` and `compute` in seconds."""
    document: dict[str, Any] = {
        "samplename": dataset,
        "shard": shard.name,
        "url": shard.url,
        "size": shard.size,
        "processed": analysis.processed,
        **{HISTOGRAMS[channel]: counts.tolist() for channel, counts in analysis.histograms.items()},
        "lumi": shard.lumi,
        "workload": WORKLOAD,
        "seconds": {"stage_in": round(stage_in, 3), "compute": round(compute, 3)},
        "bytes": received,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    named = analysis.candidates
    more = {
        "entries": shard.entries and list(shard.entries),
        "selection": rules,
        "candidates": named if named is not None and len(named) <= MOST_CANDIDATES else None,
        "weights": analysis.weights,
        "branches": analysis.branches or None,
        "certified": analysis.certified and analysis.certified.describe(),
        "simulated": analysis.simulated or None,
        "test_mode": test_mode or None,
        "used": used,
    }
    return document | {name: value for name, value in more.items() if value is not None}

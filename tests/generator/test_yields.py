"""The demo's normalised yields come near the published ones, so that its plot looks like theirs."""

import csv
from collections import defaultdict

import numpy as np
import pytest

from generator.catalogue import DEMO, demo_datasets
from generator.events import simulate
from generator.kinematics import Floats
from generator.pseudodata import selected
from generator.write import SEED
from workload.histogram import EDGES, histogram

LUMINOSITY = {2011: 2330.0, 2012: 11580.0}  # 1/pb

# Group: published events from 70 to 181 GeV, and from 121 to 130 GeV, with the relative tolerances of a
# toy. DY and ttbar are a few hundred simulated events; DY's distribution is known to be too narrow.
PUBLISHED = {
    "zz": (80.08, 0.03, 4.30, 0.10),
    "higgs": (9.73, 0.03, 8.20, 0.05),
    "dy": (3.85, 0.15, 0.35, 0.40),
    "ttbar": (0.07, 0.30, None, None),
}


@pytest.fixture(scope="module")
def yields() -> dict[str, Floats]:
    """Return the histogram of each simulated group, normalised to the luminosity of the data."""
    with (DEMO / "samples.csv").open(newline="") as lines:
        samples = {row["sample"]: row for row in csv.DictReader(lines)}
    total: dict[str, Floats] = defaultdict(lambda: np.zeros(len(EDGES) - 1))
    for dataset in demo_datasets():
        if dataset.group == "data":
            continue
        sample = samples[dataset.name.lower()]
        n = dataset.events_per_file
        for file in range(dataset.files):
            candidates = selected(simulate(dataset, file, n, SEED), n)
            counts = sum(histogram(candidates[channel].mass) for channel in dataset.channels)
            cross_section = float(sample["cross_section_pb"]) * float(sample["scale_factor"])
            total[dataset.group] += LUMINOSITY[dataset.year] * cross_section / (n * dataset.files) * counts
    return total


@pytest.mark.parametrize("group", PUBLISHED)
def test_yields_are_near_the_published_ones(yields: dict[str, Floats], group: str) -> None:
    everywhere, tolerance, at_the_peak, peak_tolerance = PUBLISHED[group]
    assert yields[group].sum() == pytest.approx(everywhere, rel=tolerance)
    if at_the_peak is not None:
        assert yields[group][17:20].sum() == pytest.approx(at_the_peak, rel=peak_tolerance)

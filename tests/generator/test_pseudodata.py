"""The pseudo-data are selected with exactly the published spectrum, whatever the seed."""

import numpy as np
import pytest

from generator.catalogue import demo_datasets
from generator.events import simulate
from generator.pseudodata import PUBLISHED, assign, selected
from workload.histogram import histogram

DATA = [dataset for dataset in demo_datasets() if dataset.group == "data"]


def test_the_published_spectrum_has_102_events_and_12_of_them_from_121_to_130_gev() -> None:
    assert (len(PUBLISHED), sum(PUBLISHED), sum(PUBLISHED[17:20])) == (37, 102, 12)


@pytest.mark.parametrize("seed", [0, 1, 125])
def test_the_selected_spectrum_is_the_published_one(seed: int) -> None:
    total = np.zeros(37, np.int64)
    outside = 0
    for dataset in DATA:
        for file in range(dataset.files):
            found = selected(simulate(dataset, file, 100, seed), 100)
            for channel, candidates in found.items():
                if channel in dataset.channels:
                    total += histogram(candidates.mass)
                else:
                    outside += len(candidates.mass)
    assert total.tolist() == list(PUBLISHED)
    assert outside == 0


def test_every_published_event_is_assigned_to_a_dataset_that_records_its_channel() -> None:
    channels = {dataset.name: dataset.channels for dataset in DATA}
    files = {dataset.name: dataset.files for dataset in DATA}
    assigned = assign(demo_datasets(), 125)
    assert len(assigned) == 102
    assert all(event.channel in channels[event.dataset] for event in assigned)
    assert all(0 <= event.file < files[event.dataset] for event in assigned)
    assert {event.channel for event in assigned} == {"4mu", "4e", "2e2mu"}


def test_all_events_of_a_file_are_there_and_most_are_not_selected() -> None:
    n = DATA[0].events_per_file
    leptons = simulate(DATA[0], 0, n, 125)
    per_event = np.bincount(leptons.event, minlength=n)
    assert len(per_event) == n
    assert (per_event >= 1).mean() > 0.9
    assert sum(len(candidates.mass) for candidates in selected(leptons, n).values()) < 20

"""Of data, only events in certified luminosity sections count; the result tells how many were read."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from clustered_file import EVENTS, write_data
from pod_process import Pod, shard
from workload.certified import Certified, read_certified
from workload.errors import Misconfigured
from workload.events import Wanted, read_events
from workload.pod import count
from workload.result import HISTOGRAMS, Analysis
from workload.selection import select

RUNS, SECTIONS = 3, 20
Ranges = dict[int, list[list[int]]]


def in_pairs(distances: list[int]) -> list[list[int]]:
    ends = np.cumsum(distances).tolist()
    return [[first, last] for first, last in zip(ends[::2], ends[1::2], strict=False)]


CERTIFIED = st.dictionaries(
    st.integers(1, RUNS + 1), st.lists(st.integers(1, 4), min_size=2, max_size=10).map(in_pairs)
)


@pytest.fixture(scope="module")
def data_file(clustered_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "data.root"
    write_data(clustered_file, path, RUNS, SECTIONS)
    return path


@pytest.fixture(scope="module")
def places(data_file: Path) -> list[tuple[int, int]]:
    """Run and section of each event."""
    with uproot.open(data_file) as file:
        branches = file["Events"].arrays(["run", "luminosityBlock"], library="np")
    return list(zip(*(branches[name].tolist() for name in ("run", "luminosityBlock")), strict=True))


def certified_places(places: list[tuple[int, int]], ranges: Ranges) -> list[tuple[int, int]]:
    """Those of certified events, event by event."""
    return [
        (run, section)
        for run, section in places
        if any(first <= section <= last for first, last in ranges.get(run, ()))
    ]


def analysed(path: Path, certified: Ranges | None, entries: tuple[int, int] | None = None) -> Analysis:
    wanted = Wanted(certified=None if certified is None else Certified(certified))
    return count(read_events(path, "data", entries, wanted), select)


@settings(max_examples=10)
@given(certified=CERTIFIED, cuts=st.sets(st.integers(1, EVENTS - 1), max_size=3))
def test_ranges_of_events_add_up_to_what_is_certified_event_by_event(
    certified: Ranges, cuts: set[int], data_file: Path, places: list[tuple[int, int]]
) -> None:
    parts = [analysed(data_file, certified, part) for part in pairwise(sorted({0, EVENTS, *cuts}))]
    wanted = certified_places(places, certified)
    counted = [part.certified for part in parts if part.certified]
    assert len(counted) == len(parts)
    assert sum(part.processed for part in parts) == EVENTS
    assert sum(part.events for part in counted) == len(wanted)
    assert set().union(*(part.sections for part in counted)) == set(wanted)


def test_the_selection_sees_certified_events_alone(data_file: Path, places: list[tuple[int, int]]) -> None:
    ranges: list[Ranges] = [
        {1: [[1, 7], [8, 20]]},
        {2: [[3, 3], [5, 20]], 3: [[1, 20]]},
        {2: [[1, 2], [4, 4]]},
    ]
    parts = [analysed(data_file, certified) for certified in ranges]
    whole = analysed(data_file, None)
    assert whole.certified is None
    assert {len(certified_places(places, certified)) for certified in ranges} == {
        part.certified.events for part in parts if part.certified
    }
    for channel, counts in whole.histograms.items():
        assert sum(part.histograms[channel] for part in parts).tolist() == counts.tolist()
        assert all(part.histograms[channel].sum() > 10 for part in parts)


def certified_pod(pod: Pod, certified: Any, *shards: dict[str, Any]) -> Pod:
    path = pod.directory / "certified.json"
    path.write_text(json.dumps(certified))
    pod.environ["CERTIFIED_JSON"] = str(path)
    pod.give(*shards)
    return pod


@pytest.mark.parametrize("read", ["stage-in", "stream"])
def test_a_result_tells_what_was_read_and_what_is_certified(
    pod: Pod, data_file: Path, places: list[tuple[int, int]], read: str
) -> None:
    ranges = {2: [[3, 4], [9, 9]]}
    certified_pod(pod, ranges, shard(data_file)).environ["READ"] = read
    ended = pod.run()
    events = len(certified_places(places, ranges))
    assert f"{EVENTS} events ({events} certified)" in ended.stdout
    document = pod.result("data")
    assert (document["processed"], document["certified"]) == (
        EVENTS,
        {"events": events, "sections": [[2, [[3, 4], [9, 9]]]]},
    )
    analysis = analysed(data_file, ranges)
    assert {name: document[name] for name in HISTOGRAMS.values()} == {
        HISTOGRAMS[channel]: counts.tolist() for channel, counts in analysis.histograms.items()
    }


def test_data_without_runs_are_refused_and_take_no_neighbour_along(
    pod: Pod, data_file: Path, tmp_path: Path
) -> None:
    nameless = tmp_path / "nameless.root"
    nameless.write_bytes(data_file.read_bytes().replace(b"luminosityBlock", b"luminosityBlack"))
    ended = certified_pod(pod, {9: [[1, 1]]}, shard(nameless), shard(data_file)).run()
    assert (ended.code, pod.results()) == (65, ["data.json"])
    assert pod.result("data")["certified"] == {"events": 0, "sections": []}
    assert ended.termination_message.splitlines()[0].endswith(
        "tree Events lacks luminosityBlock: run and luminosityBlock tell which events are certified"
    )


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"a": [[1, 2]]}', '{"1": []}', '{"1": [[2, 1]]}', '{"1": [[1, 3], [3, 4]]}', '{"1": [1]}'],
)
def test_a_file_that_certifies_nothing_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "certified.json"
    path.write_text(content)
    with pytest.raises(Misconfigured, match=r"CERTIFIED_JSON .* has no certified sections: "):
        read_certified(path)

"""Where files are cut: at cluster boundaries, and known from a few kilobytes of the file."""

import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustered_file import CLUSTER_EVENTS, EVENTS
from higgsdemo.datasets.entry_ranges import entry_boundaries, entry_ranges
from higgsdemo.storage.object_store import ObjectStore, StorageError
from web_server import WebServer


def test_the_boundaries_are_those_of_the_clusters(clustered_file: Path) -> None:
    with clustered_file.open("rb") as file:
        assert entry_boundaries(file) == list(range(0, EVENTS + 1, CLUSTER_EVENTS))


def test_a_file_is_looked_into_by_requests_for_a_few_kilobytes(
    clustered_file: Path, web_server: WebServer
) -> None:
    web_server.put("data/a.root", clustered_file.read_bytes())
    store = ObjectStore(f"{web_server.url}/data", "")
    stored = store.look_up("a.root")
    assert stored
    with store.open(stored) as file:
        assert entry_boundaries(file)
    assert {method for method, _, wanted in web_server.requests if wanted is None} == {"HEAD"}
    assert len(web_server.requests) < 8
    assert web_server.sent["data/a.root"] < 80_000 < clustered_file.stat().st_size / 50


def test_a_file_that_was_cut_off_has_none(clustered_file: Path) -> None:
    assert entry_boundaries(io.BytesIO(clustered_file.read_bytes()[:100_000])) is None


@pytest.mark.parametrize("content", [b"", b"root", b"no ROOT file at all" * 1000])
def test_what_is_no_root_file_has_none(content: bytes) -> None:
    assert entry_boundaries(io.BytesIO(content)) is None


def test_a_store_that_does_not_answer_is_no_broken_file(clustered_file: Path, web_server: WebServer) -> None:
    web_server.put("a.root", clustered_file.read_bytes())
    store = ObjectStore(web_server.url, "")
    stored = store.look_up("a.root")
    assert stored
    del web_server.files["a.root"]
    with (
        pytest.raises(StorageError, match=r"cannot read .*a\.root: there is no such bucket or object"),
        store.open(stored) as file,
    ):
        entry_boundaries(file)


@st.composite
def trees(draw: st.DrawFn) -> list[int]:
    clusters = draw(st.lists(st.integers(1, 5000), min_size=1, max_size=60))
    return [sum(clusters[:n]) for n in range(len(clusters) + 1)]


@given(trees(), st.integers(100, 20_000))
def test_ranges_cover_every_entry_once(boundaries: list[int], about: int) -> None:
    ranges = entry_ranges(boundaries, about)
    assert (ranges[0][0], ranges[-1][1]) == (0, boundaries[-1])
    assert all(stop == start for (_, stop), (start, _) in pairwise(ranges))
    assert all(start < stop for start, stop in ranges)
    assert entry_ranges(boundaries, about) == ranges


@given(trees(), st.integers(100, 20_000))
def test_no_range_is_more_than_twice_as_large_as_wanted(boundaries: list[int], about: int) -> None:
    entries = boundaries[-1]
    pieces = max(round(entries / about), 1)
    for start, stop in entry_ranges(boundaries, about):
        assert stop - start <= 2 * entries / pieces + 1


@pytest.mark.parametrize(
    ("boundaries", "about", "ranges"),
    [
        ([0, 100, 200, 300], 100, [(0, 100), (100, 200), (200, 300)]),
        ([0, 100, 200, 300], 140, [(0, 100), (100, 300)]),
        ([0, 100, 200, 300], 300, [(0, 300)]),
        ([0, 100, 200, 300], 10000, [(0, 300)]),
        ([0, 1000], 300, [(0, 333), (333, 667), (667, 1000)]),  # of one cluster, and cut all the same
        ([0], 100, []),
    ],
)
def test_cuts_lie_at_the_nearest_boundaries(boundaries: list[int], about: int, ranges: list[Any]) -> None:
    assert entry_ranges(boundaries, about) == ranges

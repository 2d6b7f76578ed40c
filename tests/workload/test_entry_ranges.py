"""A file cut into entry ranges is the file: the same events, once each, and little more than their bytes."""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import uproot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clustered_file import CLUSTER_EVENTS, EVENTS
from gcs_server import Gcs
from pod_process import Pod
from s3_server import Bucket
from web_server import WebServer
from workload.errors import BadInput, TryAgain
from workload.events import CHUNK_EVENTS, Events, read_events
from workload.manifest import Shard
from workload.pod import count as count_by
from workload.remote import open_remote
from workload.result import HISTOGRAMS, Analysis
from workload.rules import RULES
from workload.selection import select

MUCH = 1.2
"""Bytes read, at most, for each that the needed branches hold."""


def count(events: Iterable[Events]) -> Analysis:
    return count_by(events, select)


@pytest.fixture(scope="module")
def whole(clustered_file: Path) -> Analysis:
    return count(read_events(clustered_file, "whole"))


def ranges(cuts: Iterable[int]) -> list[tuple[int, int]]:
    edges = sorted({0, EVENTS, *cuts})
    return list(pairwise(edges))


def plain(analysis: Analysis) -> tuple[int, dict[str, list[int]]]:
    return analysis.processed, {name: counts.tolist() for name, counts in analysis.histograms.items()}


def added(parts: Iterable[Analysis]) -> tuple[int, dict[str, list[int]]]:
    parts = list(parts)
    histograms = {name: sum(part.histograms[name] for part in parts).tolist() for name in HISTOGRAMS}
    return sum(part.processed for part in parts), histograms


def needed_bytes(path: Path) -> int:
    with uproot.open(path) as file:
        tree = file["Events"]
        names = RULES["level4"].branches(optional=False)
        return sum(int(tree[name].compressed_bytes) for name in names)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.sets(st.integers(1, EVENTS - 1), max_size=9))
def test_ranges_add_up_to_the_whole_wherever_the_cuts_fall(
    cuts: set[int], clustered_file: Path, whole: Analysis
) -> None:
    parts = [count(read_events(clustered_file, "part", entries)) for entries in ranges(cuts)]
    assert [part.processed for part in parts] == [stop - start for start, stop in ranges(cuts)]
    assert added(parts) == plain(whole)
    assert sum(plain(whole)[1]["2e2mu"]) > 1000


def test_ranges_over_the_network_cost_little_more_than_the_needed_branches(
    clustered_file: Path, whole: Analysis, web_server: WebServer
) -> None:
    url = web_server.put("clustered.root", clustered_file.read_bytes())
    shard = Shard("clustered", url, clustered_file.stat().st_size, None)
    parts, received = [], 0
    for entries in ranges(range(0, EVENTS, 4 * CLUSTER_EVENTS)):
        remote = open_remote(shard)
        parts.append(count(read_events(remote, url, entries)))
        received += remote.received
    assert len(parts) == 10
    assert added(parts) == plain(whole)
    assert received == web_server.sent["clustered.root"]
    assert received <= MUCH * needed_bytes(clustered_file)


def test_chunks_that_cut_clusters_read_no_basket_twice(
    clustered_file: Path, web_server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workload.events.CHUNK_EVENTS", CLUSTER_EVENTS * 3 // 2)
    assert CHUNK_EVENTS > EVENTS
    remote = open_remote(Shard("a", web_server.put("a.root", clustered_file.read_bytes()), None, None))
    assert count(read_events(remote, "a")).processed == EVENTS
    assert remote.received <= MUCH * needed_bytes(clustered_file)


def test_entries_that_the_file_does_not_have_are_bad_input(clustered_file: Path) -> None:
    with pytest.raises(BadInput, match=f"no entries 39000 to 41000: its tree has {EVENTS}"):
        count(read_events(clustered_file, "short", (39_000, 41_000)))


def entry(url: str, path: Path, entries: list[int], **more: Any) -> dict[str, Any]:
    name = f"a_{entries[0]}-{entries[1]}"
    return {"name": name, "url": url, "size": path.stat().st_size, "entries": entries, **more}


@pytest.mark.parametrize("store", ["s3", "gs"])
def test_a_pod_streams_from_buckets(
    store: str, pod: Pod, clustered_file: Path, bucket: Bucket, gcs: Gcs
) -> None:
    content = clustered_file.read_bytes()
    if store == "s3":
        etag = bucket.client.put_object(Bucket=bucket.name, Key="a.root", Body=content)["ETag"]
        url = f"s3://{bucket.name}/a.root"
        pod.environ |= {f"INPUT_{name}": value for name, value in bucket.environ.items()}
    else:
        gcs.make_bucket(bucket.name)
        gcs.put(bucket.name, "a.root", content)
        url, etag = f"gs://{bucket.name}/a.root", None
        pod.environ |= gcs.environ
    pod.environ["READ"] = "stream"
    pod.give(entry(url, clustered_file, [1000, 3000], **({"etag": etag} if etag else {})))
    ended = pod.run()
    assert (ended.code, ended.stderr) == (0, "")
    assert pod.result("a_1000-3000")["processed"] == 2000
    assert pod.result("a_1000-3000")["bytes"] < clustered_file.stat().st_size / 10


def test_a_whole_file_is_streamed_as_well_and_staged_ranges_are_the_same(
    pod: Pod, shard_file: Path, web_server: WebServer
) -> None:
    url = web_server.put("a.root", shard_file.read_bytes())
    pod.give({"name": "whole", "url": url}, entry(url, shard_file, [100, 400]))
    pod.environ |= {"READ": "stream", "SSL_CERT_FILE": str(web_server.authority)}
    assert pod.run().code == 0
    streamed = pod.result("whole"), pod.result("a_100-400")
    pod.environ["READ"] = "stage-in"
    assert pod.run().code == 0
    for result, name in zip(streamed, ("whole", "a_100-400"), strict=True):
        staged = pod.result(name)
        assert staged["bytes"] == shard_file.stat().st_size > result["bytes"]
        told_of_the_work = dict.fromkeys(("bytes", "seconds", "finished", "used"))
        assert staged | told_of_the_work == result | told_of_the_work


def test_test_mode_streams_and_computes_nothing(pod: Pod, clustered_file: Path) -> None:
    pod.give(entry(clustered_file.as_uri(), clustered_file, [0, 2000]))
    pod.environ |= {"READ": "stream", "DPATH": "/dev/null"}
    assert pod.run().code == 0
    result = pod.result("a_0-2000")
    assert (result["test_mode"], result["processed"]) == (True, 0)
    assert 0 < result["bytes"] < clustered_file.stat().st_size / 10


def test_a_store_that_fails_in_the_middle_is_tried_again(
    clustered_file: Path, web_server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workload.events.CHUNK_EVENTS", CLUSTER_EVENTS)
    monkeypatch.setattr("workload.storage._RETRY", {"max_retries": 0})
    url = web_server.put("fails.root", clustered_file.read_bytes())
    remote = open_remote(Shard("a", url, None, None))
    events = read_events(remote, "a")
    next(events)
    web_server.odd["fails.root"] = 503, {}
    with pytest.raises(TryAgain, match=r"cannot read https://127\.0\.0\.1:\d+/fails\.root: "):
        list(events)

"""The next shard comes while the present one is computed; what goes wrong with it is its own affair."""

from collections import namedtuple
from pathlib import Path

import pytest

from pod_process import Pod, shard
from waiting import eventually
from web_server import WebServer
from workload.errors import BadInput, TryAgain
from workload.inputs import ANALYSIS_MEMORY, Input, inputs
from workload.manifest import Shard
from workload.settings import Settings, read_settings

DiskUsage = namedtuple("DiskUsage", "total used free")


@pytest.fixture
def settings(pod: Pod) -> Settings:
    return read_settings(pod.environ)


def everything(_: Shard) -> bool:
    return True


def shards(server: WebServer, content: bytes, *names: str) -> list[Shard]:
    return [Shard(name, server.put(f"{name}.root", content), len(content), None) for name in names]


def staged(settings: Settings) -> list[str]:
    return sorted(path.name for path in settings.input_dir.iterdir())


def requested(server: WebServer) -> set[str]:
    return {path for _, path, _ in server.requests}


def events(given: Input) -> int:
    return sum(len(some.muons.counts) for some in given)


def come(server: WebServer, path: str) -> None:
    """Wait until a file is on its way."""
    eventually(lambda: server.sent.get(path), f"{path} is staged in")


def test_the_next_file_is_staged_in_while_the_present_one_is_used_and_no_other(
    web_server: WebServer, shard_file: Path, settings: Settings
) -> None:
    supply = inputs(shards(web_server, shard_file.read_bytes(), "a", "b", "c"), settings, everything)
    first = next(supply)
    come(web_server, "b.root")
    assert requested(web_server) == {"a.root", "b.root"}
    assert events(first) == 500
    first.close()
    second = next(supply)
    come(web_server, "c.root")
    assert (second.shard.name, events(second), second.received) == ("b", 500, shard_file.stat().st_size)
    second.close()
    third = next(supply)
    assert staged(settings) == ["c.root"]
    third.close()
    assert next(supply, None) is None
    assert staged(settings) == []


@pytest.mark.parametrize("size", [None, 1000])
def test_without_room_for_two_files_and_the_analysis_they_follow_each_other(
    web_server: WebServer,
    shard_file: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    size: int | None,
) -> None:
    content = shard_file.read_bytes()
    free = 2 * len(content) + ANALYSIS_MEMORY - (1 if size else 0)
    monkeypatch.setattr("workload.inputs.disk_usage", lambda _: DiskUsage(0, 0, free))
    listed = shards(web_server, content, "a", "b")
    if size is None:
        listed = [Shard(one.name, one.url, None, None) for one in listed]
    supply = inputs(listed, settings, everything)
    first = next(supply)
    assert events(first) == 500
    assert requested(web_server) == {"a.root"}
    first.close()
    assert next(supply).shard.name == "b"


def test_a_shard_that_is_done_is_not_even_asked_for(
    web_server: WebServer, shard_file: Path, settings: Settings
) -> None:
    listed = shards(web_server, shard_file.read_bytes(), "a", "b", "c")
    found = [given.shard.name for given in inputs(listed, settings, lambda shard: shard.name != "b")]
    assert found == ["a", "c"]
    assert requested(web_server) == {"a.root", "c.root"}


@pytest.mark.parametrize("stream", [False, True])
def test_a_shard_that_cannot_be_had_fails_when_its_turn_comes_and_no_other_does(
    web_server: WebServer, shard_file: Path, pod: Pod, stream: bool
) -> None:
    settings = read_settings(pod.environ | {"READ": "stream" if stream else "stage-in"})
    listed = shards(web_server, shard_file.read_bytes(), "a", "b", "c", "d")
    del web_server.files["b.root"]
    listed[2] = Shard("c", "ftp://nowhere/c.root", None, None)
    supply = inputs(listed, settings, everything)
    assert events(next(supply)) == 500
    for reason in (r"b\.root: no such object", "ftp://nowhere/c.root is not a URL"):
        with pytest.raises(BadInput, match=reason):
            events(next(supply))
    assert events(next(supply)) == 500


def test_the_first_events_of_the_next_shard_are_streamed_while_the_present_one_is_used(
    web_server: WebServer, shard_file: Path, pod: Pod
) -> None:
    settings = read_settings(pod.environ | {"READ": "stream"})
    supply = inputs(shards(web_server, shard_file.read_bytes(), "a", "b", "c"), settings, everything)
    first = next(supply)
    come(web_server, "b.root")
    assert "c.root" not in requested(web_server)
    assert (events(first), staged(settings)) == (500, [])
    assert 0 < first.received < shard_file.stat().st_size
    assert [events(given) for given in supply] == [500, 500]


def test_a_pod_whose_next_shard_cannot_be_had_publishes_the_others_and_is_tried_again(
    pod: Pod, shard_file: Path, web_server: WebServer
) -> None:
    web_server.odd["b.root"] = 403, {}
    url = web_server.put("b.root", shard_file.read_bytes())
    pod.give(
        shard(shard_file, "a"),
        {"name": "b", "url": url},
        {"name": "c", "url": "file:///nowhere/c.root"},
        shard(shard_file, "d"),
    )
    pod.environ |= {"SSL_CERT_FILE": str(web_server.authority), "SKIP_EXISTING": "true"}

    ended = pod.run()

    assert (ended.code, pod.results()) == (TryAgain.exit_code, ["a.json", "d.json"])
    of_b, of_c, summary = ended.termination_message.splitlines()
    assert of_b.startswith(f"b: cannot read {url}: ")
    assert (of_c, summary) == ("c: file:///nowhere/c.root: no such object", "2 of 4 shards failed")
    web_server.odd.clear()

    ended = pod.run()

    assert (ended.code, pod.results()) == (BadInput.exit_code, ["a.json", "b.json", "d.json"])
    assert ended.stdout.count("has a result already") == 2

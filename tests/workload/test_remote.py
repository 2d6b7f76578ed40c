"""Objects read where they lie: every store gives the same bytes, and one version of them."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from web_server import WebServer
from workload.errors import BadInput, Misconfigured, TryAgain
from workload.manifest import Shard
from workload.remote import open_remote
from workload.stage_in import stage_in
from workload.throttle import Throttle
from xrootd_stand_in import XrootdStandIn

CONTENT = bytes(range(256)) * 20


def shard(url: str, size: int | None = len(CONTENT), etag: str | None = None) -> Shard:
    return Shard("a", url, size, None, etag)


@pytest.fixture(params=["https", "file", "root"])
def url(request: pytest.FixtureRequest, web_server: WebServer, xrootd: XrootdStandIn, tmp_path: Path) -> str:
    """Return the same object in stores of different kinds."""
    if request.param == "https":
        return web_server.put("data/a.root", CONTENT)
    if request.param == "root":
        xrootd.pipe_file("/eos/a.root", CONTENT)
        return "root://eos.example.org//eos/a.root"
    path = tmp_path / "a.root"
    path.write_bytes(CONTENT)
    return path.as_uri()


def test_ranges_are_read_and_counted(url: str) -> None:
    remote = open_remote(shard(url))
    assert remote.read(0, 10) == CONTENT[:10]
    assert remote.read(300, 500) == CONTENT[300:500]
    assert remote.received == 210


def test_a_range_ends_with_the_object(url: str) -> None:
    assert open_remote(shard(url)).read(len(CONTENT) - 5, len(CONTENT) + 100) == CONTENT[-5:]


def test_the_whole_is_staged_in(url: str, tmp_path: Path) -> None:
    target = tmp_path / "staged.root"
    assert stage_in(shard(url), target) == len(CONTENT)
    assert target.read_bytes() == CONTENT


def test_what_is_read_counts_against_the_download_limit(url: str) -> None:
    slept: list[float] = []
    throttle = Throttle(1e3, lambda: sum(slept), slept.append)
    remote = open_remote(shard(url), throttle)
    throttle.take(1 << 20)  # what may come at once
    remote.read(0, 2000)
    assert sum(slept) == pytest.approx(2.0)


def test_an_object_of_another_size_than_listed_has_changed(url: str) -> None:
    remote = open_remote(shard(url, size=5))
    with pytest.raises(BadInput, match=r"has changed since it was listed \(5 bytes then, 5120 bytes now\)"):
        remote.read(0, 3)


def test_an_object_that_is_gone_is_bad_input(url: str) -> None:
    remote = open_remote(shard(url.replace("a.root", "b.root")))
    with pytest.raises(BadInput, match=r"b\.root: no such object"):
        remote.read(0, 3)


def test_an_object_of_the_same_size_and_another_etag_has_changed(web_server: WebServer) -> None:
    url = web_server.put("a.root", CONTENT)
    with pytest.raises(BadInput, match=r"a\.root has changed .*\(ETag listed then, ETag [0-9a-f]+ now\)"):
        open_remote(shard(url, etag='"listed"')).read(0, 3)


def test_an_object_that_changes_while_it_is_read_has_changed(web_server: WebServer) -> None:
    remote = open_remote(shard(web_server.put("a.root", CONTENT), size=None))
    remote.read(0, 3)
    web_server.put("a.root", CONTENT[::-1])
    with pytest.raises(BadInput, match="has changed since it was listed"):
        remote.read(3, 6)


def test_a_server_without_etags_is_believed_by_the_size(web_server: WebServer) -> None:
    url = web_server.put("a.root", CONTENT)
    web_server.etags["a.root"] = ""
    assert open_remote(shard(url, etag="listed")).read(0, 3) == CONTENT[:3]


@pytest.mark.parametrize("listed", ['"1-a"', "1-a", 'W/"1-a"'])
def test_etags_are_the_same_however_they_are_quoted(listed: str, web_server: WebServer) -> None:
    web_server.etags["a.root"] = '"1-a"'
    assert open_remote(shard(web_server.put("a.root", CONTENT), etag=listed)).read(0, 3) == CONTENT[:3]


def test_an_xrootd_path_is_text(xrootd: XrootdStandIn) -> None:
    xrootd.pipe_file("/eos/a::b%20c.root", CONTENT)
    assert open_remote(shard("root://eos.example.org//eos/a::b%20c.root")).read(0, 4) == CONTENT[:4]


def test_an_xrootd_file_that_was_written_anew_has_changed(xrootd: XrootdStandIn) -> None:
    xrootd.pipe_file("/eos/a.root", CONTENT)
    xrootd.times["/eos/a.root"] = 2
    remote = open_remote(shard("root://eos.example.org//eos/a.root", etag="1"))
    with pytest.raises(BadInput, match=r"\(ETag 1 then, ETag 2 now\)"):
        remote.read(0, 3)


def test_a_server_that_sends_whole_files_alone_is_told_of(web_server: WebServer, tmp_path: Path) -> None:
    url = web_server.put("a.root", CONTENT)
    web_server.whole.add("a.root")
    with pytest.raises(BadInput, match=r"a\.root: its server sends whole files alone: stage it in"):
        open_remote(shard(url)).read(0, 3)
    assert stage_in(shard(url), tmp_path / "staged.root") == len(CONTENT)


def test_a_certificate_that_is_not_trusted_is_named(
    web_server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setattr("workload.storage._RETRY", {"max_retries": 0})
    remote = open_remote(shard(web_server.put("a.root", CONTENT)))
    with pytest.raises(TryAgain, match="its certificate is not trusted"):
        remote.read(0, 3)


def test_xrootd_without_its_package_says_what_is_missing() -> None:
    if find_spec("fsspec_xrootd"):
        pytest.skip("fsspec-xrootd is installed")
    with pytest.raises(Misconfigured, match=r"root://host//a\.root needs the Python packages fsspec-xrootd"):
        open_remote(shard("root://host//a.root"))

import zlib
from pathlib import Path

import pytest

from open_data import ERROR_PAGE
from web_server import WebServer
from workload.errors import BadInput, TryAgain
from workload.manifest import Shard
from workload.stage_in import stage_in
from workload.throttle import CHUNK, Throttle


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.root"
    path.write_bytes(bytes(range(256)) * (3 * CHUNK // 256) + b"end")
    return path


@pytest.mark.parametrize("known", [True, False])
def test_copies_every_byte_whether_the_size_is_known_or_not(
    source: Path, tmp_path: Path, known: bool
) -> None:
    size, target = source.stat().st_size, tmp_path / "staged.root"
    assert stage_in(Shard("a", source.as_uri(), size if known else None, None), target) == size
    assert target.read_bytes() == source.read_bytes()


def test_the_limit_accounts_for_every_byte(source: Path, tmp_path: Path) -> None:
    slept: list[float] = []
    size = source.stat().st_size
    shard = Shard("a", source.as_uri(), size, None)
    stage_in(shard, tmp_path / "staged.root", Throttle(1e6, lambda: sum(slept), slept.append))
    assert sum(slept) == pytest.approx((size - CHUNK) / 1e6)


CONTENT = bytes(range(256)) * 5000
CHECKSUM = f"adler32:{zlib.adler32(CONTENT):08x}"


@pytest.mark.parametrize("scheme", ["https", "root"])
@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (CONTENT, None),
        (CONTENT[:-1] + b"!", f"it has come damaged: adler32:.*, and its record says {CHECKSUM}"),
        (CONTENT[:-1], "1279999 bytes have come, and its record says 1280000"),
        (CONTENT + b"!", "1280001 bytes have come, and its record says 1280000"),
    ],
)
def test_what_is_not_the_content_that_a_record_says_is_asked_for_again(
    request: pytest.FixtureRequest, tmp_path: Path, scheme: str, sent: bytes, told: str | None
) -> None:
    if scheme == "https":
        url = request.getfixturevalue("web_server").put("eos/a.root", sent)
    else:
        request.getfixturevalue("xrootd").pipe_file("/eos/a.root", sent)
        url = "root://eos.example.org//eos/a.root"
    shard = Shard("a", url, len(CONTENT), None, checksum=CHECKSUM)
    if told is None:
        assert stage_in(shard, tmp_path / "a.root") == len(CONTENT)
        return
    with pytest.raises(TryAgain, match=rf"a\.root: {told}"):
        stage_in(shard, tmp_path / "a.root")


@pytest.mark.parametrize("size", [None, 7, len(ERROR_PAGE)])
def test_a_web_page_in_the_place_of_a_file_is_told_from_it(
    web_server: WebServer, tmp_path: Path, size: int | None
) -> None:
    url = web_server.put("eos/a.root", ERROR_PAGE)
    web_server.odd["eos/a.root"] = 200, {"Content-Type": "text/html; charset=utf-8"}
    with pytest.raises(TryAgain, match=r"a\.root: its server has sent a web page of 3846 bytes in its place"):
        stage_in(Shard("a", url, size, None), tmp_path / "a.root")


def test_a_web_page_may_be_a_file(web_server: WebServer, tmp_path: Path) -> None:
    url = web_server.put("eos/a.html", ERROR_PAGE)
    web_server.odd["eos/a.html"] = 200, {"Content-Type": "text/html"}
    assert stage_in(Shard("a", url, None, None), tmp_path / "a.html") == len(ERROR_PAGE)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:///nowhere/at/all.root", "file:///nowhere/at/all.root: no such object"),
        ("ftp://host/a.root", "ftp://host/a.root is not a URL with s3://, gs://, file://, https://, http://"),
        ("s3://bucket", "s3://bucket names no object"),
        ("s3://bucket/", "s3://bucket/ names no object"),
        ("s3:///a.root", "s3:///a.root has no bucket"),
        ("https:///a.root", "https:///a.root has no host"),
        ("s3://bucket/a//b.root", "s3://bucket/a//b.root names no object"),
        ("s3://bucket/a\tb.root", "s3://bucket/a\tb.root names no object"),
        ("file:///tmp/../etc/passwd", "file:///tmp/../etc/passwd names no object"),
    ],
)
def test_what_can_never_be_read_is_bad_input(url: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        stage_in(Shard("a", url, 5, None), tmp_path / "staged.root")
    assert message in str(error.value)


def test_an_input_directory_that_is_gone_is_not_the_fault_of_the_shard(source: Path, tmp_path: Path) -> None:
    shard = Shard("a", source.as_uri(), source.stat().st_size, None)
    with pytest.raises(TryAgain, match=r"cannot stage in .*source.root: .*No such file or directory"):
        stage_in(shard, tmp_path / "gone" / "staged.root")

from pathlib import Path

import pytest

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


def test_an_object_of_another_size_than_listed_is_not_copied(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "staged.root"
    shard = Shard("a", source.as_uri(), 5, None)
    with pytest.raises(
        BadInput, match=r"source.root has changed since it was listed \(5 bytes then, 3145731 bytes now\)"
    ):
        stage_in(shard, target)
    assert not target.exists()


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

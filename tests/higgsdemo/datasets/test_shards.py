"""What a listing becomes: shards with names that are unique, safe, and the same each time."""

import itertools
from collections.abc import Iterable

import pytest

from higgsdemo.campaign import DatasetRef
from higgsdemo.datasets.shards import File, Shard, cut, dump, list_shards, parse_line, shard_name

BUCKET = "s3://higgs-demo/eos/Run2012C"
DATASET = {"name": "D", "url": f"{BUCKET}/"}


def listed(*keys: str) -> list[Shard]:
    return found([File(key, 7) for key in keys])[0]


def found(files: Iterable[File], **dataset: str) -> tuple[list[Shard], dict[str, str]]:
    passed_over: dict[str, str] = {}
    shards = list(list_shards(DatasetRef(**DATASET | dataset), files, passed_over.__setitem__))
    return shards, passed_over


def test_a_shard_is_named_by_its_path_below_the_dataset() -> None:
    assert listed("0A1B-2C.root") == [Shard("D", "0A1B-2C", f"{BUCKET}/0A1B-2C.root", 7)]


@pytest.mark.parametrize(
    ("key", "safe"),
    [
        ("20000/0A1B.root", "20000-0A1B"),
        ("a b/ü.root", "a-b"),
        ("../../etc/passwd.root", "etc-passwd"),
        ("…root", "root"),
        ("....root", "shard"),
        ("_temporary/0/x.root", "temporary-0-x"),
        ("mu_000-100.root", "mu_000-100"),
        ("20000-0A1B-ede7945e.root", "20000-0A1B-ede7945e"),
    ],
)
def test_a_name_is_safe_whatever_the_key(key: str, safe: str) -> None:
    name, _, digits = shard_name(key, ".root").rpartition("-")
    assert (name, len(digits)) == (safe, 8 if key.isascii() else 32)


def test_a_hundred_thousand_keys_of_nothing_but_unsafe_characters_keep_apart() -> None:
    keys = {"".join(signs) for signs in itertools.product("日月火水木金土", repeat=6)}
    assert len({shard_name(f"{key}.root", ".root") for key in keys}) == len(keys) == 117_649


@pytest.mark.parametrize(
    ("match", "names"),
    [
        ("*.csv", ["a", "2012-b-15dcba2c"]),
        ("2012/*", ["2012-b.csv-15dcba2c", "2012-c.fastq.gz-acd3cb46"]),
        ("*.fastq.gz", ["2012-c-acd3cb46"]),
        ("Run2012C/?.csv", ["a"]),
        ("[!a].*", ["2012-b.csv-15dcba2c", "2012-c.fastq.gz-acd3cb46"]),
        ("*", ["a.root", "a.csv", "2012-b.csv-15dcba2c", "2012-c.fastq.gz-acd3cb46", "a"]),
    ],
)
def test_any_kind_of_file_is_a_shard_where_its_url_ends_as_the_dataset_says(
    match: str, names: list[str]
) -> None:
    files = [File(key, 1) for key in ("a.root", "a.csv", "2012/b.csv", "2012/c.fastq.gz", "a")]
    shards, passed_over = found(files, match=match)
    assert [shard.name for shard in shards] == names
    assert set(passed_over.values()) == ({f"does not match {match}"} if len(names) < len(files) else set())


def test_a_file_is_cut_into_shards_that_share_it() -> None:
    whole = Shard("D", "mu", f"{BUCKET}/mu.root", 1000, '"etag"')
    parts = list(cut(whole, [(0, 90), (90, 100), (100, 120)]))
    assert [part.name for part in parts] == ["mu_000-090", "mu_090-100", "mu_100-120"]
    assert [part.entries for part in parts] == [(0, 90), (90, 100), (100, 120)]
    assert {(part.url, part.size, part.etag, part.events) for part in parts} == {
        (whole.url, 1000, '"etag"', 120)
    }
    assert [part.bytes for part in parts] == [750, 83, 167]
    assert sum(part.share for part in parts) == pytest.approx(1)
    assert [parse_line(dump(part)) for part in parts] == parts


@pytest.mark.parametrize("ranges", [[], [(0, 120)]])
def test_a_file_that_is_not_cut_stays_itself(ranges: list[tuple[int, int]]) -> None:
    whole = Shard("D", "mu", f"{BUCKET}/mu.root", 1000)
    assert list(cut(whole, ranges)) == [whole]
    assert (whole.share, whole.bytes) == (1.0, 1000)

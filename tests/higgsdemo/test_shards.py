"""What a listing becomes: shards with names that are unique, safe, and the same each time."""

from __future__ import annotations

import pytest

from higgsdemo.shards import Shard, dump, list_shards, load, shard_name

BUCKET = "s3://higgs-demo/eos/Run2012C"


def listed(*keys: str, limit: int | None = None) -> list[Shard]:
    return list_shards("D", [(key, 7) for key in keys], BUCKET, limit).shards


def test_a_shard_is_named_by_its_path_below_the_dataset() -> None:
    assert listed("20000/0A1B.root") == [Shard("D", "20000-0A1B", f"{BUCKET}/20000/0A1B.root", 7)]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("a.root", "a"),
        ("a b/ü.root", "a-b"),
        ("../../etc/passwd.root", "etc-passwd"),
        ("…root", "root"),
        ("....root", "shard"),
    ],
)
def test_a_name_is_safe_whatever_the_key(key: str, name: str) -> None:
    assert shard_name(key) == name


def test_keys_that_differ_only_in_unsafe_characters_keep_apart() -> None:
    first, second = listed("a b.root", "a+b.root")
    assert first.name == "a-b"
    assert second.name.startswith("a-b-")
    assert listed("a b.root", "a+b.root")[1].name == second.name


def test_what_is_no_data_is_passed_over_with_its_reason() -> None:
    files = [("a.root", 1), ("of-unknown-size.root", None), ("empty.root", 0), ("README", 9)]
    listing = list_shards("D", files, BUCKET)
    assert [shard.name for shard in listing.shards] == ["a", "of-unknown-size"]
    assert listing.skipped == {"empty.root": "is empty", "README": "is no .root file"}


def test_a_limit_takes_the_first_shards() -> None:
    assert [shard.name for shard in listed("a.root", "b.root", "c.root", limit=2)] == ["a", "b"]


def test_the_kept_list_gives_the_same_shards() -> None:
    shards = [Shard("D", "a", f"{BUCKET}/a.root", 1), Shard("D", "b", f"{BUCKET}/ü b.root", None, done=True)]
    assert list(load(dump(shards))) == shards

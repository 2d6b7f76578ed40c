"""What a listing becomes: shards with names that are unique, safe, and the same each time."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest

from higgsdemo.shards import Shard, dump, list_shards, load, shard_name

BUCKET = "s3://higgs-demo/eos/Run2012C"


def listed(*keys: str, limit: int | None = None) -> list[Shard]:
    return found([(key, 7) for key in keys], limit)[0]


def found(
    files: Iterable[tuple[str, int | None]], limit: int | None = None
) -> tuple[list[Shard], dict[str, str]]:
    """The shards among files, and what is passed over."""
    passed_over: dict[str, str] = {}
    shards = list(list_shards("D", files, BUCKET, passed_over.__setitem__, limit))
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
    ],
)
def test_a_name_is_safe_whatever_the_key(key: str, safe: str) -> None:
    name, _, digits = shard_name(key).rpartition("-")
    assert (name, len(digits)) == (safe, 8)


def test_keys_that_differ_only_in_unsafe_characters_keep_apart() -> None:
    keys = ["a-b.root", "a b.root", "a+b.root", "a/b.root", "a//b.root", ".a-b.root", "-a-b.root"]
    names = [shard.name for shard in listed(*keys)]
    assert names[0] == "a-b"
    assert all(name.startswith("a-b-") for name in names[1:])
    assert len(set(names)) == len(keys)
    assert [shard.name for shard in listed(*reversed(keys))] == names[::-1]


def test_what_is_no_data_is_passed_over_with_its_reason() -> None:
    files = [("a.root", 1), ("of-unknown-size.root", None), ("empty.root", 0), ("README", 9)]
    shards, passed_over = found(files)
    assert [shard.name for shard in shards] == ["a", "of-unknown-size"]
    assert passed_over == {"empty.root": "is empty", "README": "is no .root file"}


def test_a_limit_takes_the_first_shards_and_asks_for_no_more() -> None:
    endless = ((f"{number}.root", 1) for number in itertools.count())
    assert [shard.name for shard in found(endless, limit=2)[0]] == ["0", "1"]


def test_the_kept_list_gives_the_same_shards() -> None:
    shards = [Shard("D", "a", f"{BUCKET}/a.root", 1), Shard("D", "b", f"{BUCKET}/ü b.root", None, done=True)]
    assert list(load(map(dump, shards))) == shards

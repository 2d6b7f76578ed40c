import json
from pathlib import Path
from typing import Any

import pytest

from workload.errors import BadInput, Misconfigured
from workload.manifest import Shard, read_shards

URL, LUMI = "s3://bucket/a.root", {"stream": "mu_stream_2012", "value": 3.5}
GOOD: dict[str, Any] = {"name": "a_000", "url": URL, "size": 12}


def manifest(directory: Path, *lines: object) -> Path:
    path = directory / "manifest.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


@pytest.mark.parametrize(
    ("entry", "shard"),
    [
        ({**GOOD, "lumi": LUMI}, Shard("a_000", URL, 12, LUMI)),
        ({**GOOD, "etag": '"a-1"', "entries": [0, 7]}, Shard("a_000", URL, 12, None, '"a-1"', (0, 7))),
        ({"name": "a_000", "url": URL}, Shard("a_000", URL, None, None)),
    ],
    ids=["data", "a range of entries of one version", "of unknown size"],
)
def test_an_index_gets_the_shards_of_its_own_line(tmp_path: Path, entry: object, shard: Shard) -> None:
    path = manifest(tmp_path, "the other pods' lines are not read", {"shards": [GOOD, entry]})
    assert read_shards(path, 1) == [Shard("a_000", URL, 12, None), shard]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{not json", "completion index 0: not JSON"),
        ("[]", 'expected {"shards": [...]} with at least one shard'),
        ({"shards": []}, 'expected {"shards": [...]} with at least one shard'),
        ({"shards": ["a.root"]}, "shard 0: expected an object, found 'a.root'"),
        ({"shards": [GOOD, {**GOOD, "name": "/etc/x"}]}, "shard 1: name '/etc/x' is not a plain file name"),
        *(
            ({"shards": [{**GOOD, "name": name}]}, f"shard 0: name {name!r} is not a plain file name")
            for name in ("", ".hidden", "../x", "a/b", "_a", "k" * 229, None)
        ),
        ({"shards": [{**GOOD, "url": "bucket/a.root"}]}, "shard 0 (a_000): url 'bucket/a.root' is not a URL"),
        ({"shards": [{**GOOD, "size": "12"}]}, "shard 0 (a_000): size '12' is not a number of bytes"),
        ({"shards": [{**GOOD, "size": -1}]}, "shard 0 (a_000): size -1 is not a number of bytes"),
        ({"shards": [{**GOOD, "size": True}]}, "shard 0 (a_000): size True is not a number of bytes"),
        ({"shards": [{**GOOD, "lumi": 3}]}, "shard 0 (a_000): lumi 3 is not"),
        ({"shards": [{**GOOD, "etag": 3}]}, "shard 0 (a_000): etag 3 is not a text"),
        *(
            (
                {"shards": [{**GOOD, "entries": entries}]},
                f"shard 0 (a_000): entries {entries!r} are not [first,",
            )
            for entries in (7, [7], [0, "7"], [7, 7], [-1, 7], [0, True], [0, 7, 9], {"first": 0})
        ),
    ],
)
def test_a_line_that_breaks_the_contract_is_bad_input_and_says_where(
    line: object, message: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput) as error:
        read_shards(manifest(tmp_path, line), 0)
    assert message in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_an_index_beyond_the_last_line_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"has no line for completion index 1"):
        read_shards(manifest(tmp_path, {"shards": [GOOD]}), 1)


def test_a_manifest_that_is_not_there_may_be_mounted_at_the_next_attempt(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot read SHARD_MANIFEST"):
        read_shards(tmp_path / "manifest.jsonl", 0)

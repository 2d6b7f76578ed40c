import json
from pathlib import Path
from typing import Any

import pytest

from tables import cases
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


@cases
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

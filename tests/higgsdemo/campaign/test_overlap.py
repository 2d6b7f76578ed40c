"""A file that two datasets have is found, however they name it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from higgsdemo.campaign import CampaignError, DatasetRef, Placed, overlaps, parse_campaign
from higgsdemo.campaign.datasets import resolve_dataset
from higgsdemo.campaign.index_files import read_index
from higgsdemo.campaign.values import source_url
from tables import cases

FILES = {"x": ["s3://bkt/a/1.root", "s3://bkt/a/2.root"], "y": ["s3://bkt/a/2.root", "s3://bkt/a/3.root"]}
FILES |= {"z": ["s3://bkt/c/1.root"]}


def placed(name: str, store: str = "one", **ref: Any) -> Placed:
    fields = {"url": "s3://bkt/", "index": f"s3://bkt/{name}_file_index.txt"} if name in FILES else {}
    return Placed((name,), DatasetRef(name=name, **fields | ref), store)


KNOWN = {name: placed(name) for name in FILES} | {
    "folder": placed("folder", url="s3://bkt/a/"),
    "same": placed("same", url="s3://bkt/a/"),
    "beside": placed("beside", url="s3://bkt/ab/"),
    "file": placed("file", url="s3://bkt/a/2.root/"),
    "y elsewhere": placed("y", "other"),
    "folder elsewhere": placed("folder", "third", url="s3://bkt/a/"),
}


@cases
def test_a_file_of_two_datasets_is_found_once_for_the_two(
    datasets: list[str], found: list[tuple[str, str, str]]
) -> None:
    problems = list(overlaps([KNOWN[name] for name in datasets], lambda ref: FILES[ref.name]))
    assert [(*problem.path, *problem.other) for problem in problems] == [(one, two) for one, two, _ in found]
    assert all(url in problem.said for problem, (_, _, url) in zip(problems, found, strict=True))


def test_index_files_beside_the_catalogues_are_compared_when_the_campaign_is_loaded(
    changed: Callable[[dict[str, Any]], dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve_dataset, "__defaults__", (None, tmp_path))
    monkeypatch.setattr(read_index, "__defaults__", (tmp_path,))
    for name in ("x", "y"):
        (tmp_path / f"{name}_file_index.txt").write_text("\n".join(FILES[name]))
    lists = {f"mapping.{n}.datasets": [f"{name}_file_index.txt"] for n, name in enumerate("xy")}
    with pytest.raises(CampaignError) as refused:
        parse_campaign(changed(lists), "higgs.json")
    assert str(refused.value) == (
        'higgs.json: mapping[1].datasets[0] is the dataset "y", whose index file names "s3://bkt/a/2.root", '
        'a file of mapping[0].datasets[0] ("x") as well: its events would be counted twice'
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.org:443/a/1.root", "https://example.org/a/1.root"),
        ("root://example.org:1094//a/1.root", "root://example.org/a/1.root/"),
        ("s3://bucket/a/", "s3://bucket/a"),
    ],
)
def test_a_place_has_one_spelling(one: str, other: str) -> None:
    assert source_url(one) == source_url(other)


@pytest.mark.parametrize(
    "url", ["s3://bucket//a", "s3://bucket/a//", "gs://bucket//a/1.root", "https://A.org/a"]
)
def test_what_would_be_another_key_or_spelling_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"empty part|no server's name"):
        source_url(url)

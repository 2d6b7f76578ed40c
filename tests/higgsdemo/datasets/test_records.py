"""Records of the CERN Open Data portal as datasets: what `plan` says of them, and their shards."""

import json
from pathlib import Path
from typing import Any

import pytest

from higgsdemo.campaign import DatasetRef, Placed
from higgsdemo.campaign.datasets import resolve_dataset
from higgsdemo.campaign.entries import DatasetEntry
from higgsdemo.catalogue import load_catalogue
from higgsdemo.datasets.listing import incomplete, list_datasets
from higgsdemo.datasets.overlap_in_stores import refuse_overlaps
from higgsdemo.datasets.records import Planned, look_up
from higgsdemo.datasets.shards import ListingError, Shard, parse_line
from higgsdemo.kubernetes.jobs import chunks
from higgsdemo.storage.object_store import ObjectStore
from open_data import OpenData, entry
from planned_runs import planned
from tables import cases

FOLDER = "eos/opendata/cms/Run2016G/Mu/NANOAOD/v1"
FILES = [entry(f"{FOLDER}/{name}", 1000, 0xAB) for name in ("a/1.root", "a/2.root", "b/1.root", "b/t.csv")]
NAMED = "Mu7-Run2016G-v1-NANOAOD"


def looked_up(
    open_data: OpenData, *, strict: bool = True, storage: str = "", most: int | None = None, **given: Any
) -> Planned:
    dataset = resolve_dataset(
        DatasetEntry(**{"record": 7} | given),
        load_catalogue("demo"),
        storage or open_data.url,
        most,
        portal=open_data.url,
    )
    return look_up([], [dataset], strict=strict)


def shards_of(dataset: DatasetRef, folder: Path) -> list[Shard]:
    output = ObjectStore("https://nowhere.example.org", "")
    (listing,) = list_datasets(planned(run={"catalogue": "demo"}).run, [dataset], "", output, folder)
    assert incomplete(listing, "") is None
    return [parse_line(line) for line in listing.lines.read_bytes().splitlines()]


def test_a_record_names_a_dataset_says_its_kind_and_what_its_files_must_be(
    open_data: OpenData, tmp_path: Path
) -> None:
    open_data.record(7, FILES, kind="Simulated")
    found = looked_up(open_data)
    (dataset,) = found.shared
    assert (dataset.name, dataset.datatype, dataset.files, found.mean_bytes) == (NAMED, "mc", 3, 1000)
    assert found.told == [
        f'dataset {NAMED} (mc) is record 7, "/Mu7/Run2016G-v1/NANOAOD": 3 of 4 files match *.root, 3e-06 GB'
    ]
    shards = shards_of(dataset, tmp_path)
    assert [shard.url for shard in shards] == [
        f"{open_data.url}/{FOLDER}/{name}" for name in ("a/1.root", "a/2.root", "b/1.root")
    ]
    assert {(shard.size, shard.checksum) for shard in shards} == {(1000, "adler32:000000ab")}
    (chunk,) = chunks(shards, 3)
    assert {one["checksum"] for one in json.loads(chunk.text)["shards"]} == {"adler32:000000ab"}


@pytest.mark.parametrize(
    "storage",
    ["https://opendata.cern.ch", "root://eospublic.cern.ch//", "s3://copy/of-it", "gs://copy"],
)
def test_its_files_are_read_from_the_input_wherever_their_uris_lead(
    open_data: OpenData, storage: str
) -> None:
    elsewhere = [file | {"uri": file["uri"].replace("eospublic.cern.ch", "10.0.0.1")} for file in FILES]
    open_data.record(7, elsewhere)
    dataset = looked_up(open_data, storage=storage).shared[0]
    assert dataset.url == f"{storage.removesuffix('/')}/{FOLDER}/"
    assert looked_up(open_data, storage=storage, match="b/*").shared[0].url == f"{dataset.url}b/"


def test_what_the_campaign_says_goes_first(open_data: OpenData, tmp_path: Path) -> None:
    open_data.record(7, FILES, doi="10.7483/OPENDATA.CMS.AB12.CD34")
    sample = next(iter(load_catalogue("demo").samples.values()))
    given = {"record": None, "doi": "10.7483/OPENDATA.CMS.AB12.CD34", "name": "mine", "sample": sample.name}
    dataset = looked_up(open_data, **given, match="*.csv", most=1).shared[0]
    assert (dataset.name, dataset.sample, dataset.datatype) == ("mine", sample.name, sample.datatype)
    (shard,) = shards_of(dataset, tmp_path)
    assert (shard.name, shard.url) == ("t", f"{open_data.url}/{FOLDER}/b/t.csv")


@cases
def test_what_no_pod_should_be_asked_for_is_refused_before_anything_is_paid_for(
    open_data: OpenData, files: list[dict[str, Any]], metadata: dict[str, Any], told: str
) -> None:
    open_data.record(7, [FILES[0] | file for file in files], **metadata)
    with pytest.raises(ListingError) as refused:
        looked_up(open_data)
    assert str(refused.value).startswith(f"record 7 ({open_data.url}/record/7)")
    assert told in str(refused.value)
    assert "secret" not in str(refused.value)


def test_files_that_are_not_asked_for_may_lie_on_tape(open_data: OpenData) -> None:
    open_data.record(7, [FILES[0], *(file | {"availability": "ondemand"} for file in FILES[1:])])
    assert looked_up(open_data, most=1).mean_bytes == 1000
    with pytest.raises(ListingError, match=r"a/2\.root.*b/1\.root"):
        looked_up(open_data)


def test_a_simulated_record_has_no_certified_sections(open_data: OpenData) -> None:
    open_data.record(7, FILES, kind="Simulated")
    with pytest.raises(ListingError, match="is simulated: only data have certified sections"):
        looked_up(open_data, certified="https://example.org/certified.json")


def test_a_record_that_says_another_number_of_files_may_be_run_all_the_same(open_data: OpenData) -> None:
    open_data.record(7, FILES, distribution={"number_files": 5})
    assert "4 files (it says that it has 5)" in looked_up(open_data, strict=False).told[0]


def test_a_record_that_is_another_one_than_was_planned_is_refused(
    open_data: OpenData, tmp_path: Path
) -> None:
    open_data.record(7, FILES)
    dataset = looked_up(open_data).shared[0]
    open_data.record(7, [entry("eos/elsewhere/a/1.root", 1, 1)])
    with pytest.raises(ListingError, match="its record has changed since the run was planned"):
        shards_of(dataset, tmp_path)


def test_records_that_share_a_file_are_refused(open_data: OpenData) -> None:
    open_data.record(7, FILES)
    open_data.record(8, FILES[2:])
    placed = [
        Placed((name,), looked_up(open_data, record=number).shared[0], "")
        for name, number in (("one", 7), ("other", 8))
    ]
    with pytest.raises(ListingError, match=r"names .*b/1\.root.*: its events would be counted twice"):
        refuse_overlaps(placed)

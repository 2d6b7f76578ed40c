"""The ways to write a dataset, and what each comes to."""

from pathlib import Path
from typing import Any

import pytest

from higgsdemo.campaign import DatasetRef, read_index
from higgsdemo.campaign.datasets import resolve_dataset
from higgsdemo.campaign.entries import DatasetEntry
from higgsdemo.campaign.index_files import DatasetError
from higgsdemo.catalogue import load_catalogue
from tables import cases

CATALOGUE, OPEN = load_catalogue("cms-higgs"), load_catalogue("cms-open-data-2012")
STORE = "s3://higgs-demo"
NAME = "CMS_Run2012C_DoubleMuParked_AOD_22Jan2013-v1_10010"
PREFIX = "eos/opendata/cms/Run2012C/DoubleMuParked/AOD/22Jan2013-v1/10010"
SAMPLE = "cms_run2012c_doublemuparked_aod_22jan2013-v1"
KNOWN = DatasetRef(name=NAME, url=f"{STORE}/{PREFIX}/", sample=SAMPLE, datatype="data", files=1)


def resolve(reference: str | DatasetEntry, root: Path, max_shards: int | None = None) -> DatasetRef:
    return resolve_dataset(reference, CATALOGUE, STORE, max_shards, root)


def index_file(root: Path, *lines: str, name: str = NAME) -> str:
    path = root / "datasets_s3" / f"{name}_file_index.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines))
    return f"datasets_s3/{path.name}"


@cases
def test_each_way_to_write_a_dataset_comes_to_one(
    tmp_path: Path,
    storage: str,
    reference: Any,
    max_shards: int | None,
    found: dict[str, Any],
    base: str | None,
) -> None:
    """`base` is what a file lies below; a folder has none."""
    entry = DatasetEntry(**reference) if isinstance(reference, dict) else reference
    known = CATALOGUE if storage == STORE else OPEN
    dataset = resolve_dataset(entry, known, storage, max_shards, tmp_path)
    assert (dataset, dataset.base) == (DatasetRef(**found), base or dataset.url)
    assert dataset.is_file == (base is not None)


def test_an_index_file_of_a_catalogue_dataset_names_its_files(tmp_path: Path) -> None:
    reference = index_file(tmp_path, f"s3/higgs-demo/{PREFIX}/A.root", "", f"s3/higgs-demo/{PREFIX}/B.root")
    assert resolve(reference, tmp_path, 5) == KNOWN.model_copy(
        update={"index": reference, "files": 2, "max_shards": 5}
    )
    assert read_index(reference, tmp_path) == [f"{STORE}/{PREFIX}/A.root", f"{STORE}/{PREFIX}/B.root"]


def test_an_index_file_of_an_unknown_dataset_is_unassigned(tmp_path: Path) -> None:
    reference = index_file(tmp_path, "s3/mine/run/a/1.root", "s3://mine/run/b/2.root", name="Mine")
    assert resolve(reference, tmp_path) == DatasetRef(
        name="Mine",
        url="s3://mine/run/",
        index=reference,
        sample="unassigned",
        datatype="data",
        max_shards=None,
        files=2,
    )


def test_data_of_a_year_have_the_certified_sections_of_the_catalogue_or_their_own(tmp_path: Path) -> None:
    known = load_catalogue("cms-higgs").model_copy(update={"certified": {2012: "cms/2012.json"}})

    def certified(name: str, **own: str) -> str | None:
        return resolve_dataset(
            DatasetEntry(name=name, **own), known, "s3://higgs-demo", None, tmp_path
        ).certified

    of_2011 = next(
        name for name, one in known.datasets.items() if (one.sample.year, one.sample.group) == (2011, "data")
    )
    simulated = next(name for name, one in known.datasets.items() if one.sample.datatype == "mc")
    assert [certified(name) for name in (NAME, of_2011, simulated)] == ["cms/2012.json", None, None]
    (tmp_path / "mine.json").touch()
    assert certified(NAME, certified="mine.json") == certified(of_2011, certified="mine.json") == "mine.json"
    with pytest.raises(DatasetError, match="has certified sections, but is simulation"):
        certified(simulated, certified="mine.json")


@cases
def test_a_mistake_in_an_index_file_is_refused(tmp_path: Path, lines: list[str], expected: str) -> None:
    reference = index_file(tmp_path, *lines)
    with pytest.raises(DatasetError) as refused:
        resolve(reference, tmp_path)
    assert str(refused.value) == expected.format(path=tmp_path / reference)


def test_an_index_file_that_a_link_leads_outside_to_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "datasets"
    root.mkdir()
    outside = tmp_path / f"{NAME}_file_index.txt"
    outside.write_text("s3/secret/A.root")
    (root / outside.name).symlink_to(outside)
    with pytest.raises(DatasetError, match="an index file's path is relative to include/datasets"):
        resolve(outside.name, root)


@pytest.mark.parametrize("server", ["https://opendata.cern.ch/", "root://eospublic.cern.ch//"])
def test_index_files_of_archives_name_files_by_their_urls(server: str, tmp_path: Path) -> None:
    lines = [f"{server}eos/a/1.root", f"{server}eos/a/b/2.root"]
    reference = index_file(tmp_path, *lines, name="mine")
    found = resolve_dataset(reference, OPEN, server, root=tmp_path)
    assert (found.url, found.index, found.files) == (f"{server}eos/a/", reference, 2)
    assert read_index(reference, tmp_path) == lines
    remote = resolve_dataset(f"{server}lists/mine_file_index.txt", OPEN, server)
    assert (remote.name, remote.url, remote.index) == ("mine", server, f"{server}lists/mine_file_index.txt")


def test_a_web_server_lists_no_files() -> None:
    with pytest.raises(DatasetError, match="a web server does not list its files"):
        resolve_dataset("https://example.org/data/", OPEN, "https://example.org")

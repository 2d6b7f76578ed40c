"""The ways to write a dataset, and what each comes to."""

from pathlib import Path

import pytest

from higgsdemo.campaign import DatasetRef, read_index
from higgsdemo.campaign.datasets import resolve_dataset
from higgsdemo.campaign.entries import DatasetEntry
from higgsdemo.campaign.index_files import DatasetError
from higgsdemo.catalogue import load_catalogue

CATALOGUE = load_catalogue("cms-higgs")
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


@pytest.mark.parametrize(
    "reference", [NAME, f"datasets_s3/{NAME}_file_index.txt", f"{NAME}_file_index.txt"], ids=len
)
def test_a_name_or_an_index_file_of_it_that_is_not_there_is_looked_up_in_the_catalogue(
    tmp_path: Path, reference: str
) -> None:
    assert resolve(reference, tmp_path) == KNOWN


@pytest.mark.parametrize("max_shards", [None, 1, 7])
def test_the_originals_small_lists_take_one_shard_of_each_dataset(
    tmp_path: Path, max_shards: int | None
) -> None:
    reference = f"min_datasets_s3/{NAME}_file_index.txt"
    assert resolve(reference, tmp_path, max_shards) == KNOWN.model_copy(update={"max_shards": 1})


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


@pytest.mark.parametrize("url", [f"s3://mirror/{PREFIX}", f"s3://mirror/{PREFIX}/"])
def test_a_url_with_a_catalogue_prefix_is_that_dataset_in_any_bucket(tmp_path: Path, url: str) -> None:
    mirrored = KNOWN.model_copy(update={"url": f"s3://mirror/{PREFIX}/"})
    assert resolve(url, tmp_path) == mirrored
    assert resolve(DatasetEntry(url=url), tmp_path) == mirrored


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("s3://mine", "mine"),
        ("s3://mine/run2012c", "run2012c"),
        ("s3://mine/x/a/run2012c/double-mu", "a-run2012c-double-mu"),
        ("s3://mine/a=1/(b)", "a-1-b"),
        ("s3://mine/~", "mine"),
    ],
)
def test_any_other_url_is_unassigned_and_named_after_its_end(tmp_path: Path, url: str, name: str) -> None:
    assert resolve(url, tmp_path) == DatasetRef(
        name=name, url=f"{url}/", sample="unassigned", datatype="data"
    )


def test_an_object_gives_a_url_its_name_and_sample(tmp_path: Path) -> None:
    entry = DatasetEntry(url="s3://mine/zz", name="my-zz", sample="sm12_dr53x_zzto4mu_8tev-pw-py6")
    assert resolve(entry, tmp_path) == DatasetRef(
        name="my-zz", url="s3://mine/zz/", sample="sm12_dr53x_zzto4mu_8tev-pw-py6", datatype="mc"
    )


def test_an_object_may_name_a_catalogue_dataset_that_lies_elsewhere(tmp_path: Path) -> None:
    entry = DatasetEntry(url="s3://mine/moved", name=NAME)
    assert resolve(entry, tmp_path) == KNOWN.model_copy(update={"url": "s3://mine/moved/"})


def test_an_object_may_ask_for_other_files_which_the_catalogue_has_not_counted(tmp_path: Path) -> None:
    csv = {"match": "*.csv", "files": None}
    assert resolve(DatasetEntry(name=NAME, match="*.csv"), tmp_path) == KNOWN.model_copy(update=csv)
    assert resolve(DatasetEntry(name=NAME), tmp_path) == KNOWN
    file = resolve(DatasetEntry(url="s3://mine/x/a.csv", match="*.csv"), tmp_path)
    assert (file.is_file, file.base) == (True, "s3://mine/x/")
    assert not resolve(DatasetEntry(url="s3://mine/x/a.csv", match="*"), tmp_path).is_file


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


MISTAKE = "names an index file with a mistake: {path}, line"
FORM = "must be <scheme>/<bucket>/<key> with the scheme s3 or gs, or a URL"
DOTS = "s3/higgs-demo/a/../B.root"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], "names an index file without a line: {path}"),
        (
            [f"s3/higgs-demo/{PREFIX}/A.root", DOTS],
            f'{MISTAKE} 2: "{DOTS}" {FORM}: "." and ".." cannot be parts of a key',
        ),
        *(
            ([line], f'{MISTAKE} 1: "{line}" {FORM}')
            for line in ("/etc/passwd", "ftp://example.org/A.root", "root/eospublic.cern.ch/A.root")
        ),
        (["s3/higgs-demo"], f'{MISTAKE} 1: "s3/higgs-demo" names a bucket and no key'),
        (["s3/bkt/A.root", "", "s3/bkt/A.root"], f"{MISTAKE} 3: the same file is already in line 1"),
        (
            ["s3/one/A.root", "s3/two/A.root"],
            "names an index file whose files lie in several buckets: s3://one, s3://two",
        ),
        (["gs/bkt/A.root"], f'lies in gs://, but the input is "{STORE}": a cluster reads from one store'),
    ],
)
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


OPEN = load_catalogue("cms-open-data-2012")
FOLDER = "eos/opendata/cms/derived-data/AOD2NanoAODOutreachTool/ForHiggsTo4Leptons"


@pytest.mark.parametrize(
    ("storage", "base"),
    [
        ("https://opendata.cern.ch", "https://opendata.cern.ch/"),
        ("root://eospublic.cern.ch//", "root://eospublic.cern.ch//"),
        ("s3://copy/of-it", "s3://copy/of-it/"),
    ],
)
def test_a_dataset_of_the_catalogue_may_be_one_file_on_any_server(storage: str, base: str) -> None:
    found = resolve_dataset("ZZTo4mu", OPEN, storage)
    assert found == DatasetRef(
        name="ZZTo4mu", url=f"{base}{FOLDER}/ZZTo4mu.root/", sample="zzto4mu", datatype="mc", files=1
    )
    assert (found.is_file, found.base) == (True, f"{base}{FOLDER}/")


@pytest.mark.parametrize("server", ["https://opendata.cern.ch/", "root://eospublic.cern.ch//"])
def test_a_files_url_is_the_catalogues_dataset_of_that_path(server: str) -> None:
    found = resolve_dataset(f"{server}{FOLDER}/ZZTo4mu.root", OPEN, server.removesuffix("/"))
    assert (found.name, found.sample, found.is_file) == ("ZZTo4mu", "zzto4mu", True)
    entry = DatasetEntry(url=f"{server}mine/muons.root")
    other = resolve_dataset(entry, OPEN, server.removesuffix("/"))
    assert (other.name, other.url, other.sample) == ("mine-muons", f"{server}mine/muons.root/", "unassigned")


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

"""The luminosity of each data file: its own where it is known, else its share of the sample's."""

import json
import shutil
from pathlib import Path

import pytest

from higgsdemo.catalogue import DATASETS_DIR, UNASSIGNED, CatalogueError, load_catalogue
from higgsdemo.datasets.file_luminosity import Luminosities
from planned_runs import dataset

DATA = "CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20000"
KEY = "eos/opendata/cms/Run2012C/DoubleElectron/AOD/22Jan2013-v1/20000/a.root"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the catalogues, with a place for luminosities of the CMS one."""
    shutil.copytree(DATASETS_DIR, tmp_path / "datasets")
    (tmp_path / "datasets" / "cms-higgs" / "lumi").mkdir()
    return tmp_path / "datasets"


def luminosities(root: Path = DATASETS_DIR) -> Luminosities:
    return Luminosities(load_catalogue("cms-higgs", root), root)


def test_the_files_of_a_stream_add_up_to_its_luminosity() -> None:
    catalogue = load_catalogue("cms-higgs")
    totals: dict[str, float] = {}
    for known in catalogue.datasets.values():
        if found := luminosities().of(dataset(known.name), "any.root"):
            totals[found["stream"]] = totals.get(found["stream"], 0) + found["value"] * known.files
    assert {stream: round(value / 1e6, 1) for stream, value in totals.items()} == {
        "mu_stream_2011": 2333.3,
        "el_stream_2011": 2333.3,
        "mu_stream_2012": 11568.7,
        "el_stream_2012": 11606.1,
    }


@pytest.mark.parametrize(
    "url", [f"root://eospublic.cern.ch//{KEY}", f"s3/higgs-demo/{KEY}", f"gs://copy/{KEY}", KEY]
)
def test_a_files_own_luminosity_wins_wherever_the_file_lies(root: Path, url: str) -> None:
    (root / "cms-higgs/lumi/run2012c.json").write_text(json.dumps({url: 178306109.36}))
    assert luminosities(root).of(dataset(DATA), "a.root") == {
        "stream": "el_stream_2012",
        "value": 178306109.36,
    }
    share = luminosities(root).of(dataset(DATA), "b.root")
    assert share == {"stream": "el_stream_2012", "value": pytest.approx((7169.6e6 - 178306109.36) / 2388)}


def test_the_files_of_a_campaigns_own_dataset_are_files_of_its_sample(root: Path) -> None:
    sample = "cms_run2012c_doubleelectron_aod_22jan2013-v1"
    own = dataset("mine", url="s3://mine/electrons/", sample=sample)
    share = {"stream": "el_stream_2012", "value": pytest.approx(7169.6e6 / 2389)}
    of_another = next(
        n for n, known in load_catalogue("cms-higgs").datasets.items() if known.sample.name != sample
    )
    for name in ("mine", of_another):
        assert luminosities(root).of(own.model_copy(update={"name": name}), "a.root") == share
    (root / "cms-higgs/lumi/mine.json").write_text(json.dumps({"s3://mine/electrons/a.root": 5e6}))
    assert luminosities(root).of(own, "a.root") == share | {"value": 5e6}
    others = {"value": pytest.approx((7169.6e6 - 5e6) / 2388)}
    assert luminosities(root).of(own, "b.root") == share | others


@pytest.mark.parametrize(("each", "rest"), [(3e6, 7169.6e6 - 2388 * 3e6), (7169.6e6 / 2388, 0.0)])
def test_what_the_listed_files_leave_is_the_others(root: Path, each: float, rest: float) -> None:
    listed = {f"s3://any/{KEY.replace('a.root', f'{n}.root')}": each for n in range(2388)}
    (root / "cms-higgs/lumi/most.json").write_text(json.dumps(listed))
    found = luminosities(root).of(dataset(DATA), "a.root")
    assert found == {"stream": "el_stream_2012", "value": pytest.approx(rest, abs=1.0)}


def test_files_with_more_luminosity_than_their_sample_are_refused(root: Path) -> None:
    (root / "cms-higgs/lumi/wrong.json").write_text(json.dumps({KEY: 7100e6, f"{KEY}2": 79e6}))
    with pytest.raises(CatalogueError) as refused:
        luminosities(root).of(dataset(DATA), "b.root")
    assert str(refused.value) == (
        "lumi/ of the catalogue cms-higgs: the 2 listed files of "
        "cms_run2012c_doubleelectron_aod_22jan2013-v1 have 7179 /pb, but all its files only 7169.6 /pb "
        "in catalogue.json: correct one of them"
    )


def test_simulation_and_strange_data_have_none() -> None:
    zz = "CMS_MonteCarlo2012_Summer12_DR53X_ZZTo4mu_8TeV-powheg-pythia6_AODSIM_PU_RD1_START53_V7N-v1_20000"
    assert luminosities().of(dataset(zz), "a.root") is None
    assert luminosities().of(dataset("somebodys", sample=UNASSIGNED), "a.root") is None


@pytest.mark.parametrize("content", ["[1]", "{", '{"a.root": "much"}'])
def test_a_file_of_another_form_is_refused(root: Path, content: str) -> None:
    (root / "cms-higgs/lumi/wrong.json").write_text(content)
    with pytest.raises(CatalogueError, match=r"lumi/wrong.json must be JSON of the form \{"):
        luminosities(root)


@pytest.mark.parametrize(("value", "shown"), [("NaN", "nan"), ("-5", "-5.0"), ("1e999", "inf")])
def test_a_value_that_is_no_luminosity_is_refused_by_its_file(root: Path, value: str, shown: str) -> None:
    path = root / "cms-higgs/lumi/wrong.json"
    path.write_text(f'{{"root://x//a.root": 3, "root://x//b.root": {value}}}')
    with pytest.raises(CatalogueError) as refused:
        luminosities(root)
    assert str(refused.value) == f"{path}: the luminosity of b.root is {shown}; it must be 0 or more, in 1/ub"


@pytest.mark.parametrize("again", ["s3://b/a.root", "root://x//a.root", "root://y:1094//a.root"])
def test_a_file_with_two_luminosities_is_refused(root: Path, again: str) -> None:
    path = root / "cms-higgs/lumi/wrong.json"
    path.write_text(f'{{"root://x//a.root": 3, "{again}": 3.0}}')
    luminosities(root)
    path.write_text(f'{{"root://x//a.root": 3, "{again}": 4}}')
    with pytest.raises(CatalogueError, match=r"the luminosity of a\.root is 4\.0, and 3\.0 elsewhere"):
        luminosities(root)

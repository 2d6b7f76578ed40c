"""The catalogue of datasets and samples, and the errors of one that is wrong."""

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from higgsdemo.catalogue import (
    DATASETS_DIR,
    Catalogue,
    CatalogueError,
    Dataset,
    load_catalogue,
)
from tables import cases


@pytest.fixture(scope="module")
def cms() -> Catalogue:
    return load_catalogue("cms-higgs")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(DATASETS_DIR / "cms-higgs", tmp_path / "mine")
    return tmp_path


def test_the_campaign_has_68_datasets_of_21_samples_and_26920_files(cms: Catalogue) -> None:
    assert (len(cms.datasets), len(cms.samples)) == (68, 21)
    assert sum(dataset.files for dataset in cms.datasets.values()) == 26_920
    assert sum(sample.files for sample in cms.samples.values()) == 26_920
    assert Counter(sample.group for sample in cms.samples.values()) == {
        "data": 6,
        "zz": 6,
        "dy": 5,
        "higgs": 2,
        "ttbar": 2,
    }
    assert (cms.note, cms.luminosity_pb) == (None, {2011: 2330.0, 2012: 11580.0})


def test_a_catalogue_is_read_once_and_again_when_it_has_changed(copied: Path) -> None:
    first, heading = load_catalogue("mine", copied), copied / "mine" / "catalogue.json"
    assert load_catalogue("mine", copied) is first
    heading.write_text(json.dumps(json.loads(heading.read_text()) | {"title": "Another one"}))
    assert load_catalogue("mine", copied).title == "Another one"


def test_data_fill_the_channels_of_their_trigger_and_have_no_cross_section(cms: Catalogue) -> None:
    muons = cms.samples["cms_run2012c_doublemuparked_aod_22jan2013-v1"]
    electrons = cms.samples["cms_run2012c_doubleelectron_aod_22jan2013-v1"]
    assert (muons.channels, electrons.channels) == (("4mu", "2e2mu"), ("4e",))
    assert (muons.cross_section_pb, muons.scale_factor, muons.generated_events) == (None, None, None)


def test_the_catalogue_of_the_readme_is_sound(tmp_path: Path) -> None:
    text = (DATASETS_DIR / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:json|csv)\n(.*?)```", text, re.DOTALL)
    (tmp_path / "mine").mkdir()
    for name, block in zip(("catalogue.json", "samples.csv", "datasets.csv"), blocks, strict=True):
        (tmp_path / "mine" / name).write_text(block)
    assert sum(one.files for one in load_catalogue("mine", tmp_path).datasets.values()) == 14


def test_the_demo_says_that_it_is_simulated() -> None:
    demo = load_catalogue("demo")
    assert demo.note == "Simulated data, not CMS collisions"
    assert all(name.startswith("Simulated_") for name in demo.datasets)


def test_the_streams_of_the_demo_share_its_luminosity_by_their_files() -> None:
    demo = load_catalogue("demo")
    for parts in demo.streams.values():
        samples = [demo.samples[name] for name in parts]
        whole, files = demo.luminosity_pb[samples[0].year], sum(sample.files for sample in samples)
        assert parts == {one.name: round(whole * one.files / files, 1) for one in samples}


def test_an_unknown_catalogue_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(CatalogueError) as refused:
        load_catalogue("cms-higs")
    assert str(refused.value) == (
        'there is no catalogue "cms-higs"; did you mean "cms-higgs"? (there are '
        "cms-higgs, cms-open-data-2012, demo)"
    )


@cases
def test_a_wrong_catalogue_is_refused_with_file_line_and_column(
    copied: Path, file: str, old: str, new: str, message: str
) -> None:
    path = copied / "mine" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(CatalogueError) as refused:
        load_catalogue("mine", copied)
    assert str(refused.value) == f"{copied}/mine/{file}{message}"


def test_a_missing_file_is_refused(copied: Path) -> None:
    (copied / "mine" / "samples.csv").unlink()
    with pytest.raises(CatalogueError) as refused:
        load_catalogue("mine", copied)
    assert str(refused.value) == f"{copied}/mine/samples.csv cannot be read: No such file or directory"


def test_a_campaigns_own_datasets_stand_in_for_those_of_their_sample() -> None:
    catalogue = load_catalogue("cms-higgs")
    known = next(iter(catalogue.datasets.values()))
    own = Dataset(name="copy", prefix="elsewhere", files=3, sample=known.sample)
    others = {name for name, d in catalogue.datasets.items() if d.sample != known.sample}
    assert set(catalogue.including([own]).datasets) == others | {"copy"}
    assert set(catalogue.including([own, known]).datasets) == others | {"copy", known.name}
    assert catalogue.including([known]) == catalogue
    other = next(sample for sample in catalogue.samples.values() if sample != known.sample)
    declared = known.model_copy(update={"sample": other})
    assert catalogue.including([declared]).datasets[known.name] == declared

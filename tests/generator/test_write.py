"""What lies in the folder after the generator ran, and what a second run does."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import pytest
import uproot

from generator import VERSION
from generator.__main__ import main
from generator.catalogue import demo_datasets
from generator.root_file import TITLE
from generator.write import MARKER, file_key, write_demo, write_file
from workload.pod import analyse

SMALL = [replace(one, events_per_file=one.events_per_file // 100) for one in demo_datasets()]
HIGGS, DATA = (next(one for one in SMALL if one.group == group) for group in ("higgs", "data"))
SOME = (HIGGS, DATA)
FILES = sum(dataset.files for dataset in SOME)

LEPTON = {
    "pt": "float[]", "eta": "float[]", "phi": "float[]", "mass": "float[]", "charge": "int32_t[]",
    "dxy": "float[]", "dz": "float[]", "dxyErr": "float[]", "dzErr": "float[]",
}  # fmt: skip


def arrays(path: Path) -> dict[str, Any]:
    with uproot.open(path) as file:
        events = file["Events"].arrays()
    return {name: events[name].tolist() for name in ak.fields(events)}


def test_files_have_the_layout_of_reduced_nanoaod_and_say_that_they_are_simulated(tmp_path: Path) -> None:
    write_file(tmp_path, (HIGGS, 0))
    with uproot.open(tmp_path / file_key(HIGGS, 0)) as file:
        assert file.classnames(cycle=False) == {"Events": "TTree"}
        assert file["Events"].title == TITLE == "Simulated events, not CMS collisions"
        assert file["Events"].typenames() == {
            "run": "int32_t",
            "luminosityBlock": "uint32_t",
            "event": "uint64_t",
            "nMuon": "int32_t",
            **{f"Muon_{field}": kind for field, kind in LEPTON.items()},
            "Muon_pfRelIso04_all": "float[]",
            "nElectron": "int32_t",
            **{f"Electron_{field}": kind for field, kind in LEPTON.items()},
            "Electron_pfRelIso03_all": "float[]",
        }
        assert file["Events"].num_entries == HIGGS.events_per_file == 60


def test_events_of_a_dataset_are_numbered_through_and_its_files_differ(tmp_path: Path) -> None:
    write_demo(tmp_path, datasets=[HIGGS])
    files = [arrays(tmp_path / file_key(HIGGS, number)) for number in range(HIGGS.files)]
    assert [n for file in files for n in file["event"]] == list(range(1, 60 * HIGGS.files + 1))
    assert files[0]["Muon_pt"] != files[1]["Muon_pt"]


def test_a_second_run_writes_only_what_is_missing_and_the_same_again(tmp_path: Path) -> None:
    assert [write_demo(tmp_path, datasets=SOME) for _ in range(2)] == [FILES, 0]
    for lost in (tmp_path / file_key(dataset, 0) for dataset in SOME):
        before = arrays(lost)
        lost.unlink()
        assert write_demo(tmp_path, datasets=SOME) == 1
        assert arrays(lost) == before


def test_another_version_writes_all_files_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_demo(tmp_path, datasets=SOME)
    monkeypatch.setattr("generator.write.VERSION", VERSION + 1)
    assert write_demo(tmp_path, datasets=SOME) == FILES


def test_an_interrupted_run_is_not_taken_for_a_complete_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("generator.write.root_file", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_demo(tmp_path, datasets=SOME)
    assert not (tmp_path / MARKER).exists()
    assert write_demo(tmp_path, datasets=SOME) == FILES


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that two processes have filled."""
    folder = tmp_path_factory.mktemp("filled")
    write_demo(folder, workers=2, datasets=SMALL)
    return folder


def test_the_command_says_what_it_has_written(
    filled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(output: Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["generator", "--output", str(output)])
        return main(), *capsys.readouterr()

    assert told(filled) == (0, f"Simulated dataset in {filled}: all there already\n", "")
    assert json.loads((filled / MARKER).read_text()) == {"version": VERSION, "note": TITLE}
    nowhere = filled / MARKER / "folder"
    assert told(nowhere) == (1, "", f"generator: [Errno 20] Not a directory: '{nowhere / MARKER}'\n")


def test_the_workload_reads_every_file_of_the_demo(filled: Path) -> None:
    for dataset in SMALL:
        for number in range(dataset.files):
            path = filled / file_key(dataset, number)
            assert analyse(path, path.name).processed == dataset.events_per_file


@pytest.mark.parametrize("dataset", SOME, ids=lambda dataset: dataset.group)
def test_several_processes_write_what_one_does(filled: Path, tmp_path: Path, dataset: Any) -> None:
    write_file(tmp_path, (dataset, 0))
    key = file_key(dataset, 0)
    assert arrays(filled / key) == arrays(tmp_path / key)

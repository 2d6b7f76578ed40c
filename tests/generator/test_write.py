"""What lies in the bucket after the generator ran, and what a second run does."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import pytest
import uproot

from generator import VERSION
from generator.__main__ import main
from generator.catalogue import demo_datasets
from generator.output import MARKER, Output
from generator.root_file import TITLE
from generator.write import Outcome, Recipe, file_key, write_dataset, write_demo, write_file
from pod_process import INCLUDE
from s3_server import Bucket
from workload.pod import analyse

Command = Callable[..., tuple[Any, str, str]]
SMALL = Recipe(scale=0.01, seed=5)
HIGGS = next(dataset for dataset in demo_datasets() if dataset.group == "higgs")
DATA = next(dataset for dataset in demo_datasets() if dataset.group == "data")
SOME = (HIGGS, DATA)
FILES = sum(dataset.files for dataset in SOME)
ALL = [(dataset, file) for dataset in demo_datasets() for file in range(dataset.files)]

LEPTON = {
    "pt": "float[]", "eta": "float[]", "phi": "float[]", "mass": "float[]", "charge": "int32_t[]",
    "dxy": "float[]", "dz": "float[]", "dxyErr": "float[]", "dzErr": "float[]",
}  # fmt: skip


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output((tmp_path / "out").as_uri())


def path_of(output: Output, key: str) -> Path:
    return Path(output.url.removeprefix("file://")) / key


def arrays(path: Path) -> dict[str, Any]:
    with uproot.open(path) as file:
        events = file["Events"].arrays()
    return {name: events[name].tolist() for name in ak.fields(events)}


def test_files_have_the_layout_of_reduced_nanoaod_and_say_that_they_are_simulated(output: Output) -> None:
    write_file(output, SMALL, (HIGGS, 0))
    with uproot.open(path_of(output, file_key(HIGGS, 0))) as file:
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
        assert file["Events"].num_entries == SMALL.events(HIGGS) == 60


def test_events_of_a_dataset_are_numbered_through_and_its_files_differ(output: Output) -> None:
    files = [arrays(Path(url.removeprefix("file://"))) for url in write_dataset(output, HIGGS, SMALL)]
    assert len(files) == HIGGS.files
    assert [n for file in files for n in file["event"]] == list(range(1, 60 * HIGGS.files + 1))
    assert files[0]["Muon_pt"] != files[1]["Muon_pt"]


@pytest.mark.parametrize("dataset", [HIGGS, DATA], ids=lambda dataset: dataset.group)
def test_the_same_seed_gives_the_same_events_and_another_one_others(dataset: Any, tmp_path: Path) -> None:
    contents = []
    for i, seed in enumerate((5, 5, 6)):
        output = Output((tmp_path / str(i)).as_uri())
        write_file(output, Recipe(0.01, seed), (dataset, 0))
        contents.append(arrays(path_of(output, file_key(dataset, 0))))
    assert contents[0] == contents[1]
    assert contents[0]["Muon_pt"] != contents[2]["Muon_pt"]


def test_a_second_run_writes_only_what_is_missing(output: Output) -> None:
    write_demo(output, SMALL, datasets=SOME)
    assert write_demo(output, SMALL, datasets=SOME) == Outcome(FILES, 0, 0)
    lost = path_of(output, file_key(HIGGS, 1))
    before = arrays(lost)
    lost.unlink()
    assert write_demo(output, SMALL, datasets=SOME).written == 1
    assert arrays(lost) == before


def test_another_seed_or_scale_or_version_writes_all_files_anew(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_demo(output, SMALL, datasets=SOME)
    assert write_demo(output, Recipe(0.01, seed=6), datasets=SOME).written == FILES
    assert write_demo(output, Recipe(0.02, seed=6), datasets=SOME).written == FILES
    monkeypatch.setattr("generator.write.VERSION", VERSION + 1)
    assert write_demo(output, Recipe(0.02, seed=6), datasets=SOME).written == FILES


def test_an_interrupted_run_is_not_taken_for_a_complete_one(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_demo(output, SMALL, datasets=SOME)

    def interrupt(*_: object, **__: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("generator.write.root_file", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_demo(output, Recipe(0.01, seed=6), datasets=SOME)
    assert output.marker() is None
    assert write_demo(output, SMALL, datasets=SOME).written == FILES


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder that the command has filled, with as many processes as there are cores, and what it said."""
    folder = tmp_path_factory.mktemp("filled")
    ended = subprocess.run(
        [sys.executable, "-m", "generator", *asked(folder)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(INCLUDE)},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return folder, ended.stdout


def asked(output: object, scale: str = "0.01", seed: str = "5") -> list[str]:
    return ["--output", str(output), "--scale", scale, "--seed", seed]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command, in this process alone; returns its exit code, and what it says."""

    def run(*arguments: str) -> tuple[Any, str, str]:
        monkeypatch.setattr(sys, "argv", ["generator", *arguments])
        monkeypatch.setattr(os, "cpu_count", lambda: 1)
        try:
            return main(), *capsys.readouterr()
        except SystemExit as ended:
            return ended.code, *capsys.readouterr()

    return run


@pytest.fixture
def reached(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    for name, value in bucket.environ.items():
        monkeypatch.setenv(name, value)
    return bucket


def test_the_command_fills_a_folder_once_and_says_so(filled: tuple[Path, str], command: Command) -> None:
    folder, told = filled
    summary = f"Simulated dataset in {folder}: {len(ALL)} files, "
    assert told.startswith(f"{summary}{len(ALL)} written now (")
    assert command(*asked(folder)) == (0, f"{summary}all there already\n", "")
    marker = json.loads((folder / MARKER).read_text())
    assert marker == {"version": VERSION, "scale": 0.01, "seed": 5, "note": TITLE}


def test_the_workload_reads_every_file_of_the_demo(filled: tuple[Path, str]) -> None:
    for dataset, file in ALL:
        path = filled[0] / file_key(dataset, file)
        assert analyse(path, path.name).processed == SMALL.events(dataset)


@pytest.mark.parametrize("dataset", SOME, ids=lambda dataset: dataset.group)
def test_several_processes_write_what_one_does(
    filled: tuple[Path, str], output: Output, dataset: Any
) -> None:
    write_file(output, SMALL, (dataset, 0))
    key = file_key(dataset, 0)
    assert arrays(filled[0] / key) == arrays(path_of(output, key))


def test_a_bucket_is_filled_once(reached: Bucket) -> None:
    output = Output(f"s3://{reached.name}")
    assert [write_demo(output, SMALL, datasets=SOME).written for _ in range(2)] == [FILES, 0]
    assert set(reached.keys()) == {file_key(d, file) for d in SOME for file in range(d.files)} | {MARKER}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": "0"}, "--scale 0: allowed are numbers from 0.01"),
        ({"scale": "nan"}, "--scale nan: allowed are numbers from 0.01"),
        ({"seed": "-1"}, "--seed -1: allowed are whole numbers from 0"),
    ],
)
def test_the_command_refuses_wrong_numbers(
    command: Command, tmp_path: Path, change: dict[str, str], message: str
) -> None:
    code, told, error = command(*asked(tmp_path, **change))
    assert (code, told, error.endswith(f"error: {message}\n")) == (2, "", True)


@pytest.mark.usefixtures("reached")
def test_a_storage_that_fails_is_one_clear_line(command: Command) -> None:
    code, _, error = command(*asked("s3://no-such-bucket"))
    assert (code, error.count("\n")) == (1, 1)
    assert error.startswith("generator: cannot write s3://no-such-bucket/demo/")

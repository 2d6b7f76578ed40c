"""What lies in the bucket after the generator ran, and what a second run does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import awkward as ak
import pytest
import uproot

from generator import VERSION
from generator.catalogue import demo_datasets
from generator.output import MARKER, Output
from generator.root_file import TITLE
from generator.write import Outcome, Recipe, file_key, write_dataset, write_demo, write_file
from pod_process import INCLUDE
from s3_server import Bucket
from workload.pod import analyse

SMALL = Recipe(scale=0.01, seed=5)
HIGGS = next(dataset for dataset in demo_datasets() if dataset.group == "higgs")
DATA = next(dataset for dataset in demo_datasets() if dataset.group == "data")
SOME = (HIGGS, DATA)
FILES = sum(dataset.files for dataset in SOME)

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


def test_events_of_a_dataset_are_numbered_through(output: Output) -> None:
    urls = write_dataset(output, HIGGS, SMALL)
    assert len(urls) == HIGGS.files
    numbers = [n for url in urls for n in arrays(Path(url.removeprefix("file://")))["event"]]
    assert numbers == list(range(1, 60 * HIGGS.files + 1))


@pytest.mark.parametrize("dataset", [HIGGS, DATA], ids=lambda dataset: dataset.group)
def test_the_same_seed_gives_the_same_events_and_another_one_others(dataset: Any, tmp_path: Path) -> None:
    contents = []
    for i, seed in enumerate((5, 5, 6)):
        output = Output((tmp_path / str(i)).as_uri())
        write_file(output, Recipe(0.01, seed), (dataset, 0))
        contents.append(arrays(path_of(output, file_key(dataset, 0))))
    assert contents[0] == contents[1]
    assert contents[0]["Muon_pt"] != contents[2]["Muon_pt"]


def test_files_of_a_dataset_differ(output: Output) -> None:
    first, second, *_ = write_dataset(output, HIGGS, SMALL)
    muons = [arrays(Path(url.removeprefix("file://")))["Muon_pt"] for url in (first, second)]
    assert muons[0] != muons[1]


def test_the_workload_reads_every_file_of_the_demo(output: Output) -> None:
    assert write_demo(output, SMALL).files == sum(dataset.files for dataset in demo_datasets())
    for dataset in demo_datasets():
        for file in range(dataset.files):
            path = path_of(output, file_key(dataset, file))
            assert analyse(path, path.name).processed == SMALL.events(dataset)


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
    with monkeypatch.context() as patch:
        patch.setattr("generator.write.root_file", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_demo(output, Recipe(0.01, seed=6), datasets=SOME)
    assert output.marker() is None
    assert write_demo(output, SMALL, datasets=SOME).written == FILES


def interrupt(*_: object, **__: object) -> bytes:
    raise KeyboardInterrupt


def test_several_processes_write_what_one_does(tmp_path: Path) -> None:
    outputs = [Output((tmp_path / str(workers)).as_uri()) for workers in (1, 2)]
    for output, workers in zip(outputs, (1, 2), strict=True):
        write_demo(output, SMALL, workers, SOME)
    for dataset in (HIGGS, DATA):
        first, second = (arrays(path_of(output, file_key(dataset, 0))) for output in outputs)
        assert first == second


def generator(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "generator", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(INCLUDE), **environ},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )


def test_the_command_fills_a_bucket_and_says_so(bucket: Bucket) -> None:
    command = ("--output", f"s3://{bucket.name}", "--scale", "0.01", "--seed", "5")
    first, second = generator(*command, **bucket.environ), generator(*command, **bucket.environ)
    assert (first.returncode, first.stderr) == (0, "")
    keys = {file_key(dataset, file) for dataset in demo_datasets() for file in range(dataset.files)}
    summary = f"Simulated dataset in s3://{bucket.name}: {len(keys)} files, "
    assert first.stdout.startswith(f"{summary}{len(keys)} written now (")
    assert second.stdout == f"{summary}all there already\n"
    assert set(bucket.keys()) == keys | {MARKER}
    marker = json.loads(bucket.read(MARKER))
    assert marker == {"version": VERSION, "scale": 0.01, "seed": 5, "note": TITLE}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--scale", "0"), "--scale 0: allowed are numbers from 0.01"),
        (("--scale", "nan"), "--scale nan: allowed are numbers from 0.01"),
        (("--seed", "-1"), "--seed -1: allowed are whole numbers from 0"),
    ],
)
def test_the_command_refuses_wrong_numbers(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    ended = generator("--output", str(tmp_path), *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.endswith(f"error: {message}\n")


def test_a_storage_that_fails_is_one_clear_line(bucket: Bucket) -> None:
    ended = generator("--output", "s3://no-such-bucket", "--scale", "0.01", **bucket.environ)
    assert ended.returncode == 1
    assert ended.stderr.startswith("generator: cannot write s3://no-such-bucket/demo/")
    assert ended.stderr.count("\n") == 1

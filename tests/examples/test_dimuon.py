"""The example of an own analysis: fifty lines that keep the pod contract and agree with their campaign."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from demo.images import workload_images
from higgsdemo.campaign import load_campaign
from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.results.document import parse_result
from pod_process import Ended
from s3_server import Bucket


@pytest.fixture
def example(repository: Path) -> Path:
    return repository / "examples/dimuon"


@pytest.fixture
def histograms(repository: Path) -> Sequence[HistogramSpec]:
    return load_campaign(repository / "include/config/dimuon.json").histograms


def run(
    example: Path, bucket: Bucket, folder: Path, *keys: str, cut: Sequence[tuple[int, int]] = ()
) -> Ended:
    """The example as a pod on the objects of the bucket, or on parts of the only one."""
    shards = [{"name": Path(key).stem, "url": f"s3://{bucket.name}/{key}"} for key in keys]
    shards = [shards[0] | {"name": f"{part[0]}-{part[1]}", "entries": part} for part in cut] or shards
    (folder / "manifest.jsonl").write_text("{}\n" + json.dumps({"shards": shards}) + "\n")
    environment = {
        "SHARD_MANIFEST": str(folder / "manifest.jsonl"),
        "JOB_COMPLETION_INDEX": "1",
        "INPUT_DIR": str(folder),
        "OUTPUT_URL": f"s3://{bucket.name}/out/muons",
        "DATASET": "muons",
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        [sys.executable, "dimuon.py"],
        cwd=example,
        env=bucket.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr, "")


def test_it_is_shorter_than_fifty_lines(example: Path) -> None:
    assert len((example / "dimuon.py").read_text().splitlines()) < 50


def test_its_documents_are_what_its_campaign_says(
    example: Path, histograms: Sequence[HistogramSpec], bucket: Bucket, shard_file: Path, tmp_path: Path
) -> None:
    bucket.client.upload_file(str(shard_file), bucket.name, "in/one.root")
    bucket.client.upload_file(str(shard_file), bucket.name, "in/two.root")
    ended = run(example, bucket, tmp_path, "in/one.root", "in/two.root")
    assert ended.code == 0, ended.stderr
    for name in ("one", "two"):
        raw = bucket.read(f"out/muons/{name}.json")
        document = parse_result(f"results/muons/{name}.json", raw, histograms)
        assert document.processed == 500
        assert sum(document.counts["dimuon_mass"]) > 100


@pytest.mark.parametrize("key", ["a%20b/x.root", "a b/x.root", "a+b#c?d/x%2Fy.root", "ü/%.root"])
def test_a_key_is_text_and_not_a_part_of_a_web_address(
    example: Path, bucket: Bucket, shard_file: Path, tmp_path: Path, key: str
) -> None:
    bucket.client.upload_file(str(shard_file), bucket.name, f"in/{key}")
    ended = run(example, bucket, tmp_path, f"in/{key}")
    assert ended.code == 0, ended.stderr
    assert bucket.keys("out") == [f"out/muons/{Path(key).stem}.json"]


def test_parts_of_a_file_add_up_to_it(
    example: Path, histograms: Sequence[HistogramSpec], bucket: Bucket, shard_file: Path, tmp_path: Path
) -> None:
    bucket.client.upload_file(str(shard_file), bucket.name, "in/one.root")
    parts = [(0, 200), (200, 450), (450, 500)]
    for cut in ((), parts):
        ended = run(example, bucket, tmp_path, "in/one.root", cut=cut)
        assert ended.code == 0, ended.stderr

    def counts(name: str, entries: tuple[int, int] | None = None) -> tuple[int, ...]:
        raw = bucket.read(f"out/muons/{name}.json")
        return parse_result(f"results/muons/{name}.json", raw, histograms, entries).counts["dimuon_mass"]

    of_parts = [counts(f"{part[0]}-{part[1]}", part) for part in parts]
    assert tuple(map(sum, zip(*of_parts, strict=True))) == counts("one")


def test_a_file_that_is_no_root_file_is_not_tried_again(
    example: Path, bucket: Bucket, tmp_path: Path
) -> None:
    bucket.write("in/bad.root", b"no ROOT file")
    ended = run(example, bucket, tmp_path, "in/bad.root")
    assert (ended.code, ended.reason.partition(":")[0]) == (65, "bad is no readable ROOT file")


def test_a_store_that_does_not_answer_is_tried_again(example: Path, bucket: Bucket, tmp_path: Path) -> None:
    assert run(example, bucket, tmp_path, "in/none.root").code not in (0, 65)


def test_the_campaign_runs_the_image_that_localkube_and_docker_make(example: Path, repository: Path) -> None:
    image = load_campaign(repository / "include/config/dimuon.json").image
    entry = workload_images()[str(image)]
    assert (entry.Entrypoint, entry.WorkingDir) == (["python", "dimuon.py"], str(example))
    dockerfile = (example / "Dockerfile").read_text()
    (copied,) = re.findall(r"(?m)^COPY (\S+) ", dockerfile)
    assert (example / copied).is_file()
    assert f"--tag {image} examples/dimuon" in dockerfile

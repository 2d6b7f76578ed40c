"""The examples: a command of twenty lines, and the image of the documentation that keeps the pod contract."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import pytest

from documents import below
from higgsdemo.campaign import load_campaign
from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.results.parsing import parse_result
from pod_process import Ended
from s3_server import Bucket

KEY = "results/muons/one.json"


def ended(words: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Ended:
    """How a program ends that has only these variables."""
    environ = {"PATH": os.environ["PATH"], **environ}
    done = subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    return Ended(done.returncode, done.stdout, done.stderr, "")


def test_the_command_counts_pairs_of_a_file_and_of_its_parts(
    repository: Path, shard_file: Path, tmp_path: Path
) -> None:
    example = repository / "examples/dimuon"
    histograms = load_campaign(repository / "include/config/dimuon.json").histograms
    assert len((example / "dimuon.py").read_text().splitlines()) < 25

    def counts(first: int, last: int, **part: str) -> tuple[float, ...]:
        given = {"INPUT_FILE": str(shard_file), "OUTPUT_DIR": str(tmp_path), **part}
        found = ended([sys.executable, "dimuon.py"], example, given)
        assert found.code == 0, found.stderr
        written = json.loads((tmp_path / "result.json").read_bytes()) | {"samplename": "muons"}
        document = parse_result(KEY, json.dumps(written).encode(), histograms)
        assert document.processed == last - first + 1
        return document.filled["dimuon_mass"].contents

    parts = [(0, 199), (200, 449), (450, 499)]
    of_parts = [counts(*part, FIRST_EVENT=str(part[0]), LAST_EVENT=str(part[1])) for part in parts]
    assert tuple(map(sum, zip(*of_parts, strict=True))) == (whole := counts(0, 499))
    assert sum(whole) > 100


@pytest.mark.parametrize("name", ["dimuon", "skim"])
def test_the_campaign_runs_the_image_that_localkube_and_docker_make(repository: Path, name: str) -> None:
    campaign = load_campaign(repository / f"include/config/{name}.json")
    example = repository / "examples" / name
    assert campaign.image in json.loads((example / "image.json").read_text())
    assert f"python {name}.py" in str(campaign.command)
    dockerfile = (example / "Dockerfile").read_text()
    assert f"--tag {campaign.image} examples/{name}\n" in dockerfile
    assert f"COPY {name}.py /opt/{name}/\nWORKDIR /opt/{name}\n" in dockerfile
    assert f"awkward=={version('awkward')} uproot=={version('uproot')}\n" in dockerfile


def as_pod(repository: Path, bucket: Bucket, folder: Path, *keys: str) -> Ended:
    """Return the documentation's own image as a pod on the objects of the bucket."""
    shards = [{"name": Path(key).stem, "url": f"s3://{bucket.name}/{key}"} for key in keys]
    (folder / "manifest.jsonl").write_text("{}\n" + json.dumps({"shards": shards}) + "\n")
    (program,) = below(repository / "docs/own-analysis.md", "An image that does it all itself", "python")
    given = {
        "SHARD_MANIFEST": str(folder / "manifest.jsonl"),
        "JOB_COMPLETION_INDEX": "1",
        "OUTPUT_URL": f"s3://{bucket.name}/out/muons",
        "DATASET": "muons",
    }
    return ended([sys.executable, "-c", program], folder, bucket.environ | given)


@pytest.mark.parametrize("key", ["a%20b/x.root", "a b/x.root", "a+b#c?d/x%2Fy.root", "ü/%.root"])
def test_an_image_of_ones_own_keeps_the_contract_with_keys_that_are_text(
    repository: Path, bucket: Bucket, tmp_path: Path, key: str
) -> None:
    bucket.write(f"in/{key}", b"abba")
    bucket.write("in/one.root", b"b")
    found = as_pod(repository, bucket, tmp_path, f"in/{key}", "in/one.root")
    assert found.code == 0, found.stderr
    names = [Path(key).stem, "one"]
    assert bucket.keys("out") == sorted(f"out/muons/{name}.json" for name in names)
    described = HistogramSpec(name="bytes", bins=256, low=0, high=256)
    sums = []
    for name in names:
        result = bucket.read(f"out/muons/{name}.json")
        document = parse_result(f"results/muons/{name}.json", result, [described])
        sums.append((document.processed, document.filled["bytes"].contents[97:99]))
    assert sums == [(4, (2, 2)), (1, (0, 1))]


def test_an_own_image_without_its_file_is_tried_again(
    repository: Path, bucket: Bucket, tmp_path: Path
) -> None:
    assert as_pod(repository, bucket, tmp_path, "in/none.root").code not in (0, 65)

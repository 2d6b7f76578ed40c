"""An analysis in a container of its own, between one that stages in and one that publishes."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from higgsdemo.kubernetes.pods import AOD_SCRIPT
from higgsdemo.results.document import parse_result
from pod_process import Pod, shard

TRY_AGAIN, BAD_INPUT, MISCONFIGURED = 75, 65, 78
LUMI = {"stream": "el_stream_2012", "value": 178306109.36}
CMSSW = """#!/bin/bash
# Stands for the image's: "cmsRun <config>", then "python /dump_json_pyroot.py <root> <dataset> <json>".
set -eu
if [ "$1" = cmsRun ]; then
    [ "$2" = /configs/demoanalyzer_cfg_level4data.py ]
    cp "${CMS_INPUT_FILES#file://}" "$CMS_OUTPUT_FILE"
else
    [ -s "$3" ]
    zeros="[$(printf '0,%.0s' {1..36})0]"
    printf '{"samplename": "%s", "processed": 7, "mass4mu_8TeV_low": %s, "mass4e_8TeV_low": %s,' \
        "$4" "$zeros" "$zeros" > "$5"
    printf '"mass2mu2e_8TeV_low": %s, "lumi": %s}' "$zeros" "$CMS_LUMINOSITY_DATA" >> "$5"
fi
"""


@pytest.fixture
def root_file(tmp_path: Path) -> Path:
    path = tmp_path / "a.root"
    path.write_bytes(b"events")
    return path


def given(pod: Pod, *shards: dict[str, Any]) -> Path:
    """Give shards to a pod, and make the place that the analysis leaves its result in."""
    pod.give(*shards)
    output = pod.directory / "between"
    output.mkdir()
    pod.environ["RESULT_FILE"] = str(output / "result.json")
    return output


def analyse(pod: Pod, output: Path) -> None:
    """Run the analysis' own script on what was staged in, with a stand-in for CMSSW."""
    entrypoint = pod.directory / "entrypoint.sh"
    entrypoint.write_text(CMSSW)
    entrypoint.chmod(0o755)
    script = AOD_SCRIPT.replace("/opt/cms/entrypoint.sh", str(entrypoint))
    environment = {
        "CMS_INPUT_FILES": f"file://{pod.input_dir}/shard.root",
        "CMS_CONFIG": "/configs/demoanalyzer_cfg_level4data.py",
        "CMS_OUTPUT_FILE": str(output / "result.root"),
        "CMS_OUTPUT_JSON_FILE": str(output / "result.json"),
        "CMS_DATASET_NAME": "Simulated_Test",
        "PATH": pod.environ["PATH"],
    }
    command = ["/bin/bash", "-ec", script.replace("/input/", f"{pod.input_dir}/")]
    subprocess.run(command, env=environment, check=True)


def test_a_shard_passes_through_three_containers(pod: Pod, root_file: Path) -> None:
    output = given(pod, shard(root_file, lumi=LUMI))
    assert pod.run("stage-in").code == 0
    analyse(pod, output)
    ended = pod.run("publish")
    assert (ended.code, ended.stderr) == (0, "")
    result = parse_result("results/Simulated_Test/a.json", (pod.output / "a.json").read_bytes())
    assert (result.samplename, result.processed, result.shard, result.size) == ("Simulated_Test", 7, "a", 6)
    assert result.workload == "aod/1"
    assert result.lumi is not None
    assert result.lumi.model_dump() == LUMI


def test_simulation_has_null_for_its_luminosity(pod: Pod, root_file: Path) -> None:
    given(pod, shard(root_file))
    pod.run("stage-in")
    assert (pod.input_dir / "lumi.json").read_text() == "null"
    assert (pod.input_dir / "shard.root").read_bytes() == b"events"


def test_a_shard_that_is_not_there_is_bad_input(pod: Pod, tmp_path: Path) -> None:
    given(pod, {"name": "a", "url": (tmp_path / "absent.root").as_uri(), "size": 6})
    ended = pod.run("stage-in")
    assert ended.code == BAD_INPUT
    assert "no such object" in ended.reason


@pytest.mark.parametrize("left", [None, "", "[]", "x" * 2_000_000])
def test_without_a_result_the_pod_is_tried_again(pod: Pod, root_file: Path, left: str | None) -> None:
    output = given(pod, shard(root_file))
    if left is not None:
        (output / "result.json").write_text(left)
    ended = pod.run("publish")
    assert ended.code == TRY_AGAIN
    assert ended.reason.startswith("the analysis has left no result: ")
    assert pod.results() == []


def test_an_index_of_many_shards_is_refused(pod: Pod, root_file: Path) -> None:
    given(pod, shard(root_file, "a"), shard(root_file, "b"))
    ended = pod.run("stage-in")
    assert ended.code == MISCONFIGURED
    assert ended.reason.endswith("has 2 shards: an analysis in a container of its own takes one")


def test_another_word_is_refused(pod: Pod, root_file: Path) -> None:
    given(pod, shard(root_file))
    ended = pod.run("analyse")
    assert (ended.code, ended.reason) == (
        MISCONFIGURED,
        "there is no 'analyse': it is stage-in, publish or nothing",
    )


def test_the_published_document_keeps_what_the_analysis_wrote(pod: Pod, root_file: Path) -> None:
    output = given(pod, shard(root_file))
    (output / "result.json").write_text(json.dumps({"samplename": "x", "more": [1]}))
    assert pod.run("publish").code == 0
    assert pod.result("a") == {
        "samplename": "x",
        "more": [1],
        "shard": "a",
        "url": root_file.as_uri(),
        "size": 6,
        "workload": "aod/1",
    }


def test_a_shard_that_has_its_result_passes_through_all_three_at_once(pod: Pod, root_file: Path) -> None:
    output = given(pod, shard(root_file, lumi=LUMI))
    pod.output.mkdir(exist_ok=True)
    (pod.output / "a.json").write_text("of an earlier try")
    pod.environ["SKIP_EXISTING"] = "true"
    assert (pod.run("stage-in").code, (pod.input_dir / "shard.root").exists()) == (0, False)
    analyse(pod, output)
    assert (pod.run("publish").code, list(output.iterdir())) == (0, [])
    assert (pod.output / "a.json").read_text() == "of an earlier try"

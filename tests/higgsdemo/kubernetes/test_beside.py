"""Jobs of commands on localkube, several shards a pod: the containers as their manifests have them."""

import gzip
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import uproot

from clouds.tasks import carry_out, make, merge_and_plot
from demo.images import workload_images
from demo.settings import REPOSITORY
from higgsdemo.campaign import RunOptions, load_campaign
from higgsdemo.clusters.existing import ExistingProvider
from higgsdemo.datasets.shards import Shard
from higgsdemo.kubernetes import jobs
from higgsdemo.operators.jobs import SubmitJobsOperator, WaitForJobsOperator
from higgsdemo.operators.list_shards import ListShardsOperator
from higgsdemo.operators.plan import plan_run
from higgsdemo.results.parsing import parse_result
from localkube_server import Kube, localkube, shell_space
from planned_runs import THEIRS, dataset, planned
from s3_server import Bucket, bucket, s3_endpoint
from stores import connect
from workload_files import shard_file

__all__ = ["bucket", "s3_endpoint", "shard_file"]

LUMI = {"stream": "el_stream_2012", "value": 178306109.36}
IMAGE = "lukasheinrich/cms-higgs-4l-full"
SAMPLE = "cms_run2012c_doubleelectron_aod_22jan2013-v1"
ENTRYPOINT = """#!/bin/sh
# Stands for CMSSW's: "cmsRun <config>", then "python /dump_json_pyroot.py <root> <dataset> <json>".
[ "$(cat "$CMS_JSON")" = '{"7": [[1, 2]]}' ] || exit 1
[ "$1" = python ] || { cp "${CMS_INPUT_FILES#file://}" "$CMS_OUTPUT_FILE"; exit; }
zeros="[$(seq -s, 0 36 | sed 's/[0-9][0-9]*/0/g')]"
printf '{"samplename": "%s", "processed": 7, "mass4mu_8TeV_low": %s, "mass4e_8TeV_low": %s,' \
    "$4" "$zeros" "$zeros" > "$5"
printf '"mass2mu2e_8TeV_low": %s, "lumi": %s}' "$zeros" "$CMS_LUMINOSITY_DATA" >> "$5"
"""
CERTIFIED = '{"7": [[1, 2]]}'
ROWS = (
    'cp "$CERTIFIED_JSON" "$OUTPUT_DIR"; '
    'awk -F, \'$2 > 1 { print $1 }\' "$INPUT_FILE" > "$OUTPUT_DIR/rows.csv"; [ "$SHARD" != b ]'
)


@pytest.fixture(scope="module")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    images = workload_images() | {IMAGE: {"Env": ["PATH=/usr/bin:/bin"]}}
    with localkube(tmp_path_factory.mktemp("localkube"), images) as server:
        yield server.create_cluster("one", nodes=1, cpu="4", memory="8Gi")


def carried_out(kube: Kube, bucket: Bucket, script: str, **run: Any) -> Any:
    """Return the Job of a run over three shards in one pod, at its end.

    :param script: stands for the entry point of the image of 2019.
    """
    content, shards = b"a,1\nb,2\nc,3\n", []
    for name in "abc":
        bucket.write(f"in/{name}.csv", content)
        shards.append(Shard("D", name, f"s3://{bucket.name}/in/{name}.csv", len(content), lumi=LUMI))
    asked = {"image": IMAGE, "output": f"s3://{bucket.name}", "name": bucket.name[-20:]} | run
    cluster = {
        "resources": {"cpu": "1", "memory": "1Gi"},
        "image_pull_policy": "Never",
        "namespace": "default",
        "backoff_limit_per_index": 0,
    }
    assignment = planned(run=asked, cluster=cluster)
    (chunk,) = jobs.chunks(shards, 3, CERTIFIED)
    ref = dataset("D", sample=SAMPLE, certified="cms/Cert.json")
    config_map = jobs.config_map(assignment, ref, chunk)
    job = jobs.job(assignment, ref, chunk, config_map["metadata"]["name"], None, bucket.environ)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    container["command"][-1] = container["command"][-1].replace("/opt/cms/entrypoint.sh", script)
    kube.core.create_namespaced_config_map("default", config_map)
    kube.batch.create_namespaced_job("default", job)
    space = shell_space(kube, test=job["metadata"]["name"])
    space.ended_job()
    return space.job_now()


def test_rows_of_tables_are_chosen_by_awk(kube: Kube, bucket: Bucket) -> None:
    job = carried_out(kube, bucket, "", workload="command", command=ROWS)
    assert job.status.failed_indexes == "0"
    (pod,) = kube.core.list_namespaced_pod("default", label_selector=f"job-name={job.metadata.name}").items
    (beside,), (analysis,) = pod.status.init_container_statuses, pod.status.container_statuses
    assert (beside.state.terminated.exit_code, beside.restart_count) == (0, 0)
    assert analysis.state.terminated.message == "b: the command ended with exit code 1\n1 of 3 shards failed"
    for name in "ac":
        assert bucket.read(f"files/D/{name}/rows.csv") == b"b\nc\n"
        assert bucket.read(f"files/D/{name}/certified.json").decode() == CERTIFIED
    assert bucket.keys("results") == ["results/D/a.json", "results/D/c.json"]


def test_the_image_of_2019_takes_several_files_a_pod(kube: Kube, bucket: Bucket, tmp_path: Path) -> None:
    entrypoint = tmp_path / "entrypoint.sh"
    entrypoint.write_text(ENTRYPOINT)
    entrypoint.chmod(0o755)
    job = carried_out(kube, bucket, str(entrypoint), workload="aod")
    assert job.status.succeeded == 1
    for name in "abc":
        found = parse_result(key := f"results/D/{name}.json", bucket.read(key))
        assert (found.processed, found.workload, found.files, found.size) == (7, "aod/1", (), 12)
        assert found.lumi is not None
        assert found.lumi.model_dump() == LUMI


def test_the_skim_leaves_files_logs_and_a_histogram(
    kube: Kube, bucket: Bucket, shard_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shipped campaign by our own operators, from the listing of its input to its plot."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(kube.kubeconfig))
    there = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(kubeconfig)}}
    monkeypatch.setattr(ExistingProvider, "poll_seconds", 0.3)
    connect(monkeypatch, with_keys=bucket.connection(), there=there)
    for name in "abc":
        bucket.client.upload_file(str(shard_file), bucket.name, f"in/{name}.root")
    campaign = load_campaign(REPOSITORY / "include/config/skim.json")
    run = plan_run(campaign, RunOptions(), "skim", "one").model_dump()
    run |= {"output": f"s3://{bucket.name}/out", "output_connection": "with_keys"}
    ref = dataset("D", url=f"s3://{bucket.name}/in/", certified="cms/Cert.json")
    bucket.write("out/certified/D.json", CERTIFIED.encode())
    cluster = THEIRS | {"connection": "there", "shards_per_pod": 2, "namespace": "default", "datasets": [ref]}
    assignment = planned(run, cluster | {"image_pull_policy": "Never", "resources": {"memory": "1Gi"}})
    make(ListShardsOperator, assignment).execute({})
    carry_out(WaitForJobsOperator, assignment, submitted=make(SubmitJobsOperator, assignment).execute({}))
    maps = kube.core.list_namespaced_config_map("default", label_selector="higgsdemo/campaign=skim").items
    assert {one.data.get("certified.json") for one in maps} == {CERTIFIED}
    merge_and_plot(assignment)
    names = [f"out/files/D/{shard}/{file}" for shard in "abc" for file in ("command.log.gz", "skim.root")]
    assert bucket.keys("out/files/") == names
    assert sorted(bucket.read("out/files.txt").decode().split()) == [
        f"s3://{bucket.name}/{key}" for key in names
    ]
    assert gzip.decompress(bucket.read(names[0])).decode().endswith(" of 500 events have two muons\n")
    with uproot.open(BytesIO(bucket.read(names[1]))) as skim:
        counts = skim["h_pt"].values()
        assert skim["Events"].num_entries >= sum(counts) > 0
    numbers = json.loads(bucket.read("out/spectrum.json"))["channels"]["pt"]["data"]["counts"]
    assert numbers == (3 * counts).tolist()
    documents = [json.loads(bucket.read(f"out/results/D/{name}.json")) for name in "abc"]
    assert [document["processed"] for document in documents] == [500, 500, 500]
    assert bucket.read("out/spectrum.png")
    took = json.loads(bucket.read("out/summary.json"))["took"]
    files = sum(file["size"] for document in documents for file in document["files"])
    assert took["bytes"] == 3 * shard_file.stat().st_size
    assert took["bytes_out"] > files
    assert 0 < took["cores"]["median"] <= took["cores"]["most"]

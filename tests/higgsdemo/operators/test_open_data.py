"""The campaign on public data, task by task, from a web server with files of that layout to the summary."""

import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clouds.tasks import carry_out
from clustered_file import write_clustered
from generator import root_file
from higgsdemo.campaign import Campaign, load_campaign, parse_campaign
from higgsdemo.operators.jobs import SubmitJobsOperator, WaitForJobsOperator
from higgsdemo.operators.list_shards import ListShardsOperator
from higgsdemo.operators.plan import PlanOperator
from higgsdemo.operators.results import MergeResultsOperator
from higgsdemo.run import ClusterRun
from localkube_server import Kube
from planned_runs import ALONE
from s3_server import Bucket
from web_server import WebServer
from workload.pod import analyse
from workload.result import HISTOGRAMS

DAG = "cms-open-data-2012"
CLUSTERS, CLUSTER_EVENTS = 6, 500
EVENTS, SHARD_EVENTS = CLUSTERS * CLUSTER_EVENTS, 1000
SIMULATED_AS = {"SMHiggs": "higgs", "ZZTo": "zz", "Run2012": "dy"}


@pytest.fixture
def campaign(repository: Path) -> Campaign:
    return load_campaign(repository / "include" / "config" / f"{DAG}.json")


@pytest.fixture
def archive(
    campaign: Campaign, web_server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Path]:
    """The eight files of the campaign, simulated, on a web server under the paths they have at CERN."""
    monkeypatch.setattr(root_file, "TITLE", "Events")  # as if they were CMS's own
    files = {}
    for dataset in campaign.shared_datasets():
        process = next(kind for start, kind in SIMULATED_AS.items() if dataset.name.startswith(start))
        files[dataset.name] = tmp_path / f"{dataset.name}.root"
        write_clustered(files[dataset.name], CLUSTERS, CLUSTER_EVENTS, process)
        web_server.put(dataset.url[:-1].split("/", 3)[3], files[dataset.name].read_bytes())
    return files


@pytest.fixture
def connected(kube: Kube, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow connections to a cluster that people have, and to the store of the results."""
    monkeypatch.setenv("AIRFLOW_CONN_HIGGS_S3", json.dumps(bucket.connection()))


def planned(campaign: Campaign, server: WebServer, bucket: Bucket, name: str) -> ClusterRun:
    """A run of the campaign as a file says it with this server, this bucket and one cluster."""
    storage = {"input": server.address, "output": f"s3://{bucket.name}", "pod_ca": str(server.authority)}
    cluster = {"provider": "existing", "connection": "theirs", "cores": 4, "image_pull_policy": "Never"}
    document = campaign.model_dump(mode="json", by_alias=True, exclude_unset=True)
    document |= {"storage": document["storage"] | storage, "mapping": [{"name": "theirs", **cluster}]}
    plan = PlanOperator(task_id="plan", campaign=parse_campaign(document, DAG))
    now, conf = datetime.now(UTC), {"run_name": name, "shard_events": SHARD_EVENTS}
    dag_run = SimpleNamespace(dag_id=DAG, run_id="manual__1", run_after=now, start_date=now, conf=conf)
    (one,) = plan.execute({"dag_run": dag_run, "ti": ALONE})  # type: ignore[typeddict-item]
    return ClusterRun.model_validate(one)


def merge(assignment: ClusterRun) -> None:
    task = MergeResultsOperator(task_id="merge", assignments=[assignment.model_dump(mode="json")])
    task.execute({"dag_run": SimpleNamespace(start_date=datetime.now(UTC), run_after=datetime.now(UTC))})  # type: ignore[typeddict-item]


def read(bucket: Bucket, key: str) -> Any:
    return json.loads(bucket.read(key))


@pytest.mark.usefixtures("connected")
def test_every_event_of_the_eight_files_is_counted_once(
    campaign: Campaign, archive: dict[str, Path], web_server: WebServer, bucket: Bucket
) -> None:
    assignment = planned(campaign, web_server, bucket, "streamed")
    listed = carry_out(ListShardsOperator, assignment)["datasets"]
    assert {name: counts["shards"] for name, counts in listed.items()} == dict.fromkeys(archive, 3)
    looked_into = sum(web_server.sent.values())
    submitted = carry_out(SubmitJobsOperator, assignment)
    assert carry_out(WaitForJobsOperator, assignment, submitted=submitted)["done"] == 24
    merge(assignment)

    folder = f"{DAG}/streamed"
    summary = read(bucket, f"{folder}/summary.json")
    assert (summary["shards"]["expected"], summary["shards"]["done"]) == (24, 24)
    assert all(one["covered_pb"] == pytest.approx(one["full_pb"]) for one in summary["luminosity"])
    results: dict[str, list[Any]] = defaultdict(list)
    for key in bucket.keys(f"{folder}/results/"):
        results[key.split("/")[3]].append(read(bucket, key))
    for dataset, path in archive.items():
        parts = results[dataset]
        assert [part["entries"] for part in parts] == [[n, n + 1000] for n in range(0, EVENTS, 1000)]
        whole = analyse(path, dataset)
        for channel, name in HISTOGRAMS.items():
            added = [sum(counts) for counts in zip(*(part[name] for part in parts), strict=True)]
            assert added == whole.histograms[channel].tolist()
    read_by_pods = sum(part["bytes"] for parts in results.values() for part in parts)
    assert read_by_pods == sum(web_server.sent.values()) - looked_into


@pytest.mark.usefixtures("connected")
def test_a_file_that_changes_after_it_was_listed_fails_its_shards_and_says_why(
    campaign: Campaign, archive: dict[str, Path], web_server: WebServer, bucket: Bucket
) -> None:
    campaign = campaign.model_copy(update={"tolerance": 3, "datasets": ["ZZTo4e", "ZZTo4mu"]})
    assignment = planned(campaign, web_server, bucket, "changed")
    path = next(path for path in web_server.files if path.endswith("/ZZTo4e.root"))
    web_server.files[path] = web_server.files[path][:-1] + b"!"
    submitted = carry_out(SubmitJobsOperator, assignment)
    ended = carry_out(WaitForJobsOperator, assignment, submitted=submitted)
    assert (ended["done"], ended["failed"]) == (3, 3)
    failures = read(bucket, f"{DAG}/changed/failures/theirs.json")
    assert {failure["dataset"] for failure in failures} == {"ZZTo4e"}
    assert all("has changed since it was listed (ETag" in failure["reason"] for failure in failures)
    assert all("exit code 65" in failure["reason"] for failure in failures)

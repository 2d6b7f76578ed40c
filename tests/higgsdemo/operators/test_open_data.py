"""Campaigns on public data, task by task, from a web server with files of that layout to the summary."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from clouds.tasks import carry_out, merge
from clustered_file import write_clustered
from generator import root_file
from higgsdemo.campaign import Campaign, load_campaign, parse_campaign
from higgsdemo.catalogue import files as catalogue_files
from higgsdemo.operators.base import TaskFailed, TaskFailedForGood
from higgsdemo.operators.jobs import SubmitJobsOperator, WaitForJobsOperator
from higgsdemo.operators.list_shards import ListShardsOperator
from higgsdemo.run import ClusterRun
from localkube_server import Kube
from open_data import ERROR_PAGE, OpenData, entry
from planning import plan
from s3_server import Bucket
from tables import cases
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
    """Put the campaign's eight files, simulated, on a web server under the paths they have at CERN."""
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


def planned(
    campaign: Campaign, server: WebServer, bucket: Bucket, name: str, *, dag: str = DAG, **changes: Any
) -> ClusterRun:
    """Return a run of the campaign as a file says it with this server, this bucket and one cluster."""
    storage = {
        "input": server.url,
        "portal": server.url,
        "output": f"s3://{bucket.name}",
        "output_connection": "higgs_s3",
        "pod_ca": str(server.authority),
    }
    cluster = {"name": "theirs", "connection": "theirs", "cores": 4, "image_pull_policy": "Never"}
    document = campaign.model_dump(mode="json", by_alias=True, exclude_unset=True)
    document |= {"storage": document["storage"] | storage} | changes
    document["mapping"] = [document["mapping"][0] | {"provider": "existing"} | cluster]
    (one,) = plan(parse_campaign(document, dag), dag_id=dag, run_name=name)
    return one


def read(bucket: Bucket, key: str) -> Any:
    return json.loads(bucket.read(key))


@pytest.fixture
def by_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the catalogues a table of 2012 that has three of the sections that are certified below."""
    table = tmp_path / "2012lumibyls.csv"
    table.write_text("#run:fill,ls,recorded(/pb)\n1:1,1:1,40\n1:1,2:2,50\n1:1,7:7,60\n1:1,8:8,70\n")
    read, update = catalogue_files._read, {"luminosity_by_section": {2012: str(table)}}
    monkeypatch.setattr(catalogue_files, "_read", lambda *of: read(*of).model_copy(update=update))


@pytest.mark.usefixtures("connected", "by_section")
def test_every_event_of_the_eight_files_is_counted_once_and_none_that_is_not_certified(
    campaign: Campaign, archive: dict[str, Path], web_server: WebServer, bucket: Bucket
) -> None:
    certified, uncertified, *others = archive
    lists = {certified: b'{"1": [[1, 7]]}', uncertified: b'{"1": [[2, 7]]}'}  # all events are in section 1
    datasets: list[Any] = [
        {"name": name, "certified": web_server.put(f"{name}.json", content)}
        for name, content in lists.items()
    ]
    changes = {"shard_events": SHARD_EVENTS, "datasets": datasets + others}
    assignment = planned(campaign, web_server, bucket, "streamed", **changes)
    listed = carry_out(ListShardsOperator, assignment)["datasets"]
    assert {name: counts["shards"] for name, counts in listed.items()} == dict.fromkeys(archive, 3)
    looked_into = sum(web_server.sent.values())
    submitted = carry_out(SubmitJobsOperator, assignment)
    assert carry_out(WaitForJobsOperator, assignment, submitted=submitted)["done"] == 24
    merge(assignment)

    folder = f"{DAG}/streamed"
    summary = read(bucket, f"{folder}/summary.json")
    assert (summary["shards"]["expected"], summary["shards"]["done"]) == (24, 24)
    covered = {one["channel"]: (one["covered_pb"], one["by_section"]) for one in summary["luminosity"]}
    assert covered == {"4mu": (40, True), "2e2mu": (40, True), "4e": (pytest.approx(11580), False)}
    assert summary["certified_pb"] == {"2012": 40 + 50 + 60}
    results: dict[str, list[Any]] = defaultdict(list)
    for key in bucket.keys(f"{folder}/results/"):
        results[key.split("/")[3]].append(read(bucket, key))
    for dataset, path in archive.items():
        parts = results[dataset]
        assert [part["entries"] for part in parts] == [[n, n + 1000] for n in range(0, EVENTS, 1000)]
        whole = analyse(path, dataset)
        for channel, name in HISTOGRAMS.items():
            added = [sum(counts) for counts in zip(*(part[name] for part in parts), strict=True)]
            assert added == (whole.histograms[channel] * (dataset != uncertified)).tolist()
    work = {name: summary["datasets"][name]["work"] for name in archive}
    counts = [(one["events"], one["checked_events"], one["certified_events"]) for one in work.values()]
    assert counts == [(EVENTS, EVENTS, EVENTS), (EVENTS, EVENTS, 0), *[(EVENTS, 0, 0)] * len(others)]
    assert (
        read(bucket, f"{folder}/spectrum.json")["certified"] == "3,000 of 6,000 events of data are certified"
    )
    read_by_pods = sum(part["bytes"] for parts in results.values() for part in parts)
    assert read_by_pods == sum(web_server.sent.values()) - looked_into


@pytest.mark.usefixtures("connected")
def test_a_file_that_changes_after_it_was_listed_fails_its_shards_and_says_why(
    campaign: Campaign, archive: dict[str, Path], web_server: WebServer, bucket: Bucket
) -> None:
    campaign = campaign.model_copy(update={"tolerance": 3, "datasets": ["ZZTo4e", "ZZTo4mu"]})
    assignment = planned(campaign, web_server, bucket, "changed", shard_events=SHARD_EVENTS)
    path = next(path for path in web_server.files if path.endswith("/ZZTo4e.root"))
    web_server.files[path] = web_server.files[path][:-1] + b"!"
    submitted = carry_out(SubmitJobsOperator, assignment)
    ended = carry_out(WaitForJobsOperator, assignment, submitted=submitted)
    assert (ended["done"], ended["failed"]) == (3, 3)
    failures = read(bucket, f"{DAG}/changed/failures/theirs.json")
    assert {failure["dataset"] for failure in failures} == {"ZZTo4e"}
    assert all("has changed since it was listed (ETag" in failure["reason"] for failure in failures)
    assert all("exit code 65" in failure["reason"] for failure in failures)


RECORD = "cms-record"
FOLDER = "eos/opendata/cms/Run2016G/MuonEG/MINIAOD"
TITLE = "/MuonEG/Run2016G-UL2016_MiniAODv2-v2/MINIAOD"


@pytest.fixture
def record(repository: Path, shard_file: Path, open_data: OpenData) -> Campaign:
    """Return the campaign on a record; its third file comes damaged, the fourth as a page."""
    content = shard_file.read_bytes().replace(root_file.TITLE.encode(), b"Events".ljust(len(root_file.TITLE)))
    files = [open_data.file(f"{FOLDER}/{name}.root", content) for name in ("1", "2", "damaged", "page", "5")]
    open_data.server.put(f"{FOLDER}/damaged.root", content[:-1] + b"!")
    open_data.server.put(f"{FOLDER}/page.root", ERROR_PAGE)
    open_data.server.odd[f"{FOLDER}/page.root"] = 200, {"Content-Type": "text/html"}
    open_data.record(
        30511, None, {"1_file_index.json": files[:3], "2_file_index.json": files[3:]}, title=TITLE
    )
    return load_campaign(repository / "include" / "config" / f"{RECORD}.json")


@pytest.mark.usefixtures("connected")
def test_a_command_runs_over_the_files_of_a_record_that_are_what_it_says(
    record: Campaign, web_server: WebServer, bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = record.mapping[0].model_dump(exclude_unset=True) | {"backoff_limit_per_index": 1}
    assignment = planned(record, web_server, bucket, "files", dag=RECORD, mapping=[cluster], tolerance=2)
    name = "MuonEG-Run2016G-UL2016_MiniAODv2-v2-MINIAOD"
    told = f'dataset {name} (data) is record 30511, "{TITLE}": 5 of 5 files match *.root'
    assert told in capsys.readouterr().out
    kept = read(bucket, f"{RECORD}/files/campaign.json")
    assert kept["remarks"][0].startswith(told)
    size = len(web_server.files[f"{FOLDER}/1.root"])
    assert (kept["predicted"]["shards"], kept["predicted"]["bytes"]) == (4, 4 * size)

    listed = carry_out(ListShardsOperator, assignment)["datasets"]
    assert listed == {name: {"shards": 4, "bytes": 4 * size, "done": 0}}
    submitted = carry_out(SubmitJobsOperator, assignment)
    ended = carry_out(WaitForJobsOperator, assignment, submitted=submitted)
    assert (ended["done"], ended["failed"]) == (2, 2)
    failures = {one["shard"]: one["reason"] for one in read(bucket, f"{RECORD}/files/failures/theirs.json")}
    assert failures.keys() == {"damaged", "page"}
    assert "it has come damaged: adler32:" in failures["damaged"]
    assert "its server has sent a web page of 3846 bytes in its place" in failures["page"]
    merge(assignment)
    summary = read(bucket, f"{RECORD}/files/summary.json")
    assert summary["datasets"][name]["work"]["events"] == 2 * 500
    urls = bucket.read(f"{RECORD}/files/files.txt").decode().splitlines()
    assert [url.rpartition("/files/")[2] for url in urls] == [
        f"{name}/{shard}/{file}" for shard in ("1", "2") for file in ("branches.txt", "command.log.gz")
    ]


@pytest.mark.usefixtures("connected")
@cases
def test_a_record_that_cannot_be_read_ends_the_run_before_a_cluster_is_made(
    record: Campaign, open_data: OpenData, bucket: Bucket, number: int, final: bool, told: str
) -> None:
    tape = open_data.file(f"{FOLDER}/2.root") | {"availability": "ondemand"}
    open_data.record(7, [open_data.file(f"{FOLDER}/1.root"), tape])
    open_data.server.put("api/records/9", b"")
    open_data.record(10, [entry(f"{FOLDER}/nowhere.root", 1, 1)])
    open_data.server.odd["api/records/9"] = 503, {}
    cluster = record.mapping[0].model_dump(exclude_unset=True) | {"datasets": [{"record": number}]}
    with pytest.raises(TaskFailedForGood if final else TaskFailed) as refused:
        planned(record, open_data.server, bucket, "refused", dag=RECORD, mapping=[cluster])
    assert told in str(refused.value)
    assert bucket.keys() == []


@pytest.mark.usefixtures("connected")
def test_two_records_of_one_title_need_names(record: Campaign, open_data: OpenData, bucket: Bucket) -> None:
    open_data.record(7, [open_data.file("eos/other/1.root")], title=TITLE)
    cluster = record.mapping[0].model_dump(exclude_unset=True)
    both = cluster | {"datasets": [{"record": 30511}, {"record": 7}]}
    with pytest.raises(TaskFailedForGood, match=r"datasets\[1\] is the dataset .* need names of their own"):
        planned(record, open_data.server, bucket, "two", dag=RECORD, mapping=[both])
    named = cluster | {"datasets": [{"record": 30511}, {"record": 7, "name": "other"}]}
    assert planned(record, open_data.server, bucket, "two", dag=RECORD, mapping=[named])

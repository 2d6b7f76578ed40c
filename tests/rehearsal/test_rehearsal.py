"""A few files of every dataset of the full campaign on simulated nodes: its tasks, without Airflow around."""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clouds.tasks import carry_out
from demo.bucket import Bucket
from demo.demo_data import make_buckets
from demo.services import SERVICES
from demo.settings import Settings
from higgsdemo.campaign import Campaign, load_campaign
from higgsdemo.catalogue import load_catalogue
from higgsdemo.operators.cluster_life import CreateClusterOperator
from higgsdemo.operators.jobs import SubmitJobsOperator, WaitForJobsOperator
from higgsdemo.operators.list_shards import ListShardsOperator
from higgsdemo.operators.plan import PlanOperator
from higgsdemo.operators.results import MergeResultsOperator
from higgsdemo.run import ClusterRun
from planned_runs import ALONE
from rehearsal.__main__ import rehearse, stand_ins
from waiting import answers, eventually

SHARDS = sum(min(dataset.files, 2) for dataset in load_catalogue("cms-higgs").datasets.values())
START = datetime(2019, 5, 21, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def campaign(repository: Path) -> Campaign:
    """Return the full campaign, as it is rehearsed."""
    return rehearse(load_campaign(repository / "include" / "config" / "higgs-full.json"))


@pytest.fixture(scope="session")
def services(campaign: Campaign, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Yield the S3 server and localkube as `make rehearsal` starts them."""
    state = tmp_path_factory.mktemp("rehearsal") / "state"
    stand_ins(state, campaign).save(state)
    settings = Settings.load(state).with_free_ports()
    (settings.images).write_text("{}")
    running = [
        subprocess.Popen(
            SERVICES[name].command(settings),
            env=settings.environment() | SERVICES[name].environment(settings),
        )
        for name in ("s3", "localkube")
    ]
    eventually(lambda: answers(settings.s3_url) and settings.localkube_token.exists(), "the services answer")
    make_buckets(settings, campaign)
    yield settings
    for process in running:
        process.terminate()
        process.wait()


@pytest.fixture
def connected(services: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the services, and Airflow's connections to them."""
    eventually(lambda: services.kubeconfig.exists(), "localkube is up")
    for name, value in services.connections().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("HIGGS_RESULTS", raising=False)
    return services


def planned(campaign: Campaign, **conf: Any) -> list[ClusterRun]:
    """Return what `plan` returns for a rehearsal."""
    dag_run = SimpleNamespace(dag_id="higgs-full", run_id="r", run_after=START, start_date=START, conf=conf)
    found = PlanOperator(task_id="plan", campaign=campaign).execute({"dag_run": dag_run, "ti": ALONE})  # type: ignore[typeddict-item]
    return [ClusterRun.model_validate(assignment) for assignment in found]


def test_every_shard_gets_a_result_that_is_marked_as_simulated(
    campaign: Campaign, connected: Settings
) -> None:
    clusters = planned(campaign, max_shards=2, run_name="two", clusters=["kubecon-demo-0", "kubecon-demo-1"])
    assert sum(ref.files or 0 for one in clusters for ref in one.cluster.datasets) == SHARDS
    assert {one.cluster.provider for one in clusters} == {"local"}
    for assignment in clusters:
        carry_out(CreateClusterOperator, assignment)
        listed = carry_out(ListShardsOperator, assignment)
        assert abs(sum(counts["shards"] for counts in listed["datasets"].values()) - SHARDS / 2) <= 8
        submitted = carry_out(SubmitJobsOperator, assignment)
        done = carry_out(WaitForJobsOperator, assignment, submitted=submitted)
        assert done["done"] == done["shards"] == sum(submitted["jobs"].values())
    assignments = [one.model_dump(mode="json") for one in clusters]
    merge = MergeResultsOperator(task_id="merge", assignments=assignments)
    merged = merge.execute({"dag_run": SimpleNamespace(start_date=START)})  # type: ignore[typeddict-item]
    assert (merged["shards"]["done"], merged["shards"]["failed"]) == (SHARDS, 0)
    output = Bucket(connected, "higgs-results")
    summary = json.loads(output.read("higgs-full/two/summary.json"))
    assert summary["note"] == "Simulated events, not CMS collisions"
    assert summary["predicted"]["pods"] == SHARDS
    keys = [key for key, _ in output.objects("higgs-full/two/results/")]
    documents = [json.loads(output.read(key)) for key in keys]
    assert len(documents) == SHARDS
    assert {(one["simulated"], one["workload"]) for one in documents} == {(True, "rehearsal")}
    assert {one["samplename"] for one in documents} == load_catalogue("cms-higgs").datasets.keys()


def test_a_bucket_of_names_has_every_file_of_the_catalogue(services: Settings) -> None:
    objects = dict(Bucket(services, "higgs-demo").objects())
    assert len(objects) == 26_920
    assert 68e12 < sum(objects.values()) < 72e12
    for dataset in load_catalogue("cms-higgs").datasets.values():
        assert sum(key.startswith(f"{dataset.prefix}/") for key in objects) == dataset.files

"""Where the buttons of a task lead."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from higgsdemo.links import BucketLink, ClusterLink, PageLink, PlotLink
from planned_runs import planned
from tables import cases

KEY: Any = SimpleNamespace(dag_id="demo-local", run_id="manual__2026-01-02T03:04:05+00:00")
RUN = "dag_id=demo-local&run_id=manual__2026-01-02T03%3A04%3A05%2B00%3A00"


def task(run: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None) -> Any:
    return SimpleNamespace(assignment=planned(run, cluster).model_dump(mode="json"))


@pytest.fixture(autouse=True)
def airflow_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://example.org/airflow/")


def test_page_and_plot_are_those_of_the_run() -> None:
    assert PageLink().get_link(task(), ti_key=KEY) == f"https://example.org/airflow/higgs/?{RUN}"
    picture = f"https://example.org/airflow/higgs/api/file?{RUN}&name=higgs.png"
    assert PlotLink().get_link(task(), ti_key=KEY) == picture


@pytest.mark.parametrize(
    ("output", "extra", "link"),
    [
        ("gs://b/higgs/one", {}, "https://console.cloud.google.com/storage/browser/b/higgs/one"),
        ("s3://b/higgs/one", {}, "https://s3.console.aws.amazon.com/s3/buckets/b?prefix=higgs%2Fone%2F"),
        ("s3://b/higgs/one", {"endpoint_url": "http://127.0.0.1:9000"}, ""),
    ],
)
def test_a_bucket_is_shown_by_the_cloud_it_is_in(
    monkeypatch: pytest.MonkeyPatch, output: str, extra: dict[str, str], link: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_HIGGS_S3", json.dumps({"conn_type": "aws", "extra": extra}))
    assert BucketLink().get_link(task({"output": output}), ti_key=KEY) == link


@cases
def test_a_cluster_is_shown_by_the_cloud_it_is_in(provider: str, location: str | None, link: str) -> None:
    cluster = {"provider": provider, "location": location}
    assert ClusterLink().get_link(task(cluster=cluster), ti_key=KEY) == link


def test_a_task_that_has_not_been_given_its_cluster_has_no_link() -> None:
    assert ClusterLink().get_link(SimpleNamespace(assignment=None), ti_key=KEY) == ""  # type: ignore[arg-type]

"""What the wait for Jobs sees is left in the run's folder, for the page and the terminal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from higgsdemo.kubernetes.labels import labels
from higgsdemo.triggers.jobs import JobsTrigger
from planned_runs import dataset, planned
from s3_server import Bucket, bucket, s3_endpoint
from scripted_api import scripted_api

__all__ = ["bucket", "s3_endpoint"]

LONG = "CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20000_with_a_name_longer_than_a_label"


async def waited(monkeypatch: pytest.MonkeyPatch, output: str, *looks: dict[str, Any]) -> None:
    """Run the trigger to its end; each of `looks` is the status of the one Job at one poll."""
    run = planned({"output": output}, {"datasets": [dataset(LONG)]})
    metadata = {
        "name": "one",
        "labels": labels(run.run, LONG),
        "annotations": {"higgsdemo/shards": "4", "higgsdemo/shards-per-pod": "1"},
    }
    script = [
        {"kind": "JobList", "apiVersion": "batch/v1", "items": [{"metadata": metadata, "status": status}]}
        for status in looks
    ]
    async with scripted_api(*script) as api:
        host, _, port = api.url.rpartition(":")
        connection = {"conn_type": "http", "host": host, "port": int(port), "password": "admin"}
        monkeypatch.setenv("AIRFLOW_CONN_LOCALKUBE_DEFAULT", json.dumps(connection))
        trigger = JobsTrigger(run.model_dump(mode="json"), 0.01, None, ["one"], {LONG: 4})
        assert [event.payload async for event in trigger.run()] == [{"finished": True}]


RUNNING = {"active": 3, "ready": 2, "succeeded": 1, "completedIndexes": "0"}
ENDED = {
    "succeeded": 4,
    "completedIndexes": "0-3",
    "conditions": [{"type": "Complete", "status": "True"}],
}


async def test_the_last_look_is_left_under_the_datasets_full_name(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {
        "conn_type": "aws",
        "login": bucket.environ["AWS_ACCESS_KEY_ID"],
        "password": bucket.environ["AWS_SECRET_ACCESS_KEY"],
        "extra": {"endpoint_url": bucket.environ["AWS_ENDPOINT_URL"], "region_name": "us-east-1"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_HIGGS_S3", json.dumps(connection))
    await waited(monkeypatch, f"s3://{bucket.name}/one", RUNNING, ENDED)
    left = bucket.client.get_object(Bucket=bucket.name, Key="one/progress/kubecon-demo-0.json")
    assert json.loads(left["Body"].read()) == {
        LONG: {
            "shards": {"total": 4, "done": 4, "failed": 0, "running": 0},
            "pods": {"pending": 0, "running": 0, "succeeded": 4, "failed": 0},
        }
    }


async def test_a_bucket_that_cannot_be_written_does_not_end_the_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_HIGGS_S3", raising=False)
    await waited(monkeypatch, "s3://no-such-bucket/one", RUNNING, ENDED)

"""What the wait for Jobs sees is left in the run's folder, for the page and the terminal."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import pytest

from higgsdemo.kubernetes.labels import labels
from higgsdemo.storage.object_store import StorageError
from higgsdemo.triggers import jobs, polling
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


async def test_a_store_that_hangs_does_not_hold_up_the_wait(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(polling, "ANSWER_IN", 2.0)
    monkeypatch.setattr(jobs, "LEFT_IN", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connections are taken, and that is all
        extra = {
            "endpoint_url": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "region_name": "us-east-1",
        }
        connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_HIGGS_S3", json.dumps(connection))
        start = time.monotonic()
        await waited(monkeypatch, "s3://hangs/one", RUNNING, RUNNING | {"ready": 3}, RUNNING, ENDED)
        assert time.monotonic() - start < 10.0
    told = capsys.readouterr().out
    assert told.count("is not shown: no answer from s3://hangs/one in 0 s") == 1


async def test_what_could_not_be_left_is_left_after_a_later_poll(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = [StorageError("not now")]

    def write(trigger: JobsTrigger, content: bytes) -> None:
        if fails:
            raise fails.pop()
        left.append(json.loads(content))

    left: list[dict[str, Any]] = []
    monkeypatch.setattr(JobsTrigger, "_write", write)
    await waited(monkeypatch, f"s3://{bucket.name}/one", RUNNING, RUNNING, ENDED)
    assert [one[LONG]["shards"]["done"] for one in left] == [1, 4]

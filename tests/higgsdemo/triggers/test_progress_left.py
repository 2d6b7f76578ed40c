"""What the wait for Jobs sees is left in the run's folder, for the page and the terminal."""

import asyncio
import json
import socket
from typing import Any

import pytest

from higgsdemo.storage.object_store import StorageError
from higgsdemo.triggers import progress_writer, standstill
from higgsdemo.triggers.progress_writer import ProgressWriter
from planned_runs import dataset
from s3_server import Bucket
from stores import connect
from waited_jobs import job, jobs, waited

LONG = "CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20000_with_a_name_longer_than_a_label"


async def waited_for(monkeypatch: pytest.MonkeyPatch, output: str, *looks: dict[str, Any]) -> None:
    """Run the trigger to its end; each of `looks` is the status of the one Job at one poll."""
    script = [jobs(job(ended=False, dataset=LONG, **status)) for status in looks]
    of_dataset: dict[str, Any] = {"shards": {LONG: 10}, "cluster": {"datasets": [dataset(LONG)]}}
    payload, _ = await waited(monkeypatch, *script, output=output, **of_dataset)
    assert payload == {"finished": True}


RUNNING = {"active": 3, "ready": 2, "succeeded": 1, "completedIndexes": "0"}
ENDED = {"succeeded": 10, "completedIndexes": "0-9", "conditions": [{"type": "Complete", "status": "True"}]}


async def test_the_last_look_is_left_under_the_datasets_full_name(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, higgs_s3=bucket.connection())
    await waited_for(monkeypatch, f"s3://{bucket.name}/one", RUNNING, ENDED)
    assert json.loads(bucket.read("one/progress/kubecon-demo-0.json")) == {
        LONG: {
            "shards": {"total": 10, "done": 10, "failed": 0, "surely": 0, "running": 0},
            "pods": {"pending": 0, "running": 0, "succeeded": 10, "failed": 0},
        }
    }


async def test_a_bucket_that_cannot_be_written_does_not_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_HIGGS_S3", raising=False)
    await waited_for(monkeypatch, "s3://no-such-bucket/one", RUNNING, ENDED)


async def test_a_store_that_hangs_holds_up_neither_the_wait_nor_its_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress_writer, "LEFT_IN", 0.3)
    told = asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connections are taken, and that is all
        extra = {"endpoint_url": f"http://127.0.0.1:{silent.getsockname()[1]}", "region_name": "us-east-1"}
        connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
        connect(monkeypatch, higgs_s3=connection)
        end = ProgressWriter.end

        async def ended(writer: ProgressWriter) -> None:
            told.set()  # what follows the event
            await end(writer)

        monkeypatch.setattr(ProgressWriter, "end", ended)
        await waited_for(monkeypatch, "s3://hangs/one", RUNNING, RUNNING | {"ready": 3}, RUNNING, ENDED)
        assert told.is_set()
    assert capsys.readouterr().out.count("is not shown: no answer from s3://hangs/one in 0 s") == 1


async def test_what_could_not_be_left_is_left_after_a_later_poll(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(writer: ProgressWriter, content: bytes) -> None:
        tried.append(json.loads(content)[LONG])
        if len(tried) == 1:
            raise StorageError("not now")

    tried: list[dict[str, Any]] = []
    monkeypatch.setattr(ProgressWriter, "_write", write)
    await waited_for(monkeypatch, f"s3://{bucket.name}/one", *[RUNNING] * 20, ENDED)
    assert [one["shards"]["done"] for one in tried] == [1, 1, 10]
    assert "waiting" not in tried[0]


async def test_why_no_pod_runs_is_left_too(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standstill, "TOLD_AFTER", 0.0)
    monkeypatch.setattr(progress_writer, "LEFT_EVERY", 0.0)
    left: list[dict[str, Any]] = []
    monkeypatch.setattr(
        ProgressWriter, "_write", lambda writer, content: left.append(json.loads(content)[LONG])
    )
    await waited_for(monkeypatch, f"s3://{bucket.name}/one", *[{"active": 3}] * 20, ENDED)
    assert left[-2]["waiting"] == "the cluster does not say why"
    assert "waiting" not in left[-1]

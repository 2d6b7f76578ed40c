"""The wait for Jobs outlasts what passes by itself, renews what expires, and tells why it ends early."""

from __future__ import annotations

import json
from typing import Any

import pytest

from higgsdemo.labels import labels
from higgsdemo.triggers import polling
from higgsdemo.triggers.jobs import JobsTrigger
from planned_runs import planned
from scripted_api import ScriptedApi, Step, scripted_api

RUN = planned()


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "LONGEST_PAUSE", 0.02)


def job(name: str = "one", ended: bool = True, **status: Any) -> dict[str, Any]:
    conditions = [{"type": "Complete", "status": "True"}] if ended else []
    annotations = {"higgsdemo/shards": "10", "higgsdemo/shards-per-pod": "1"}
    return {
        "metadata": {"name": name, "labels": labels(RUN.run, "D"), "annotations": annotations},
        "status": {"conditions": conditions, **status},
    }


def jobs(*items: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "JobList", "apiVersion": "batch/v1", "items": list(items)}


DONE = jobs(job(completedIndexes="0-9"))
RUNNING = jobs(job(ended=False, ready=3))


async def waited(
    monkeypatch: pytest.MonkeyPatch, *script: Step, names: tuple[str, ...] = ("one",), allowed: int = 0
) -> tuple[dict[str, Any], ScriptedApi]:
    """The payload of the trigger's event, and the API it asked."""
    async with scripted_api(*script) as api:
        host, _, port = api.url.rpartition(":")
        connection = {"conn_type": "http", "host": host, "port": int(port), "password": "admin"}
        monkeypatch.setenv("AIRFLOW_CONN_LOCALKUBE_DEFAULT", json.dumps(connection))
        trigger = JobsTrigger(RUN.model_dump(mode="json"), 0.01, list(names), allowed)
        events = [event async for event in trigger.run()]
    (event,) = events
    return event.payload, api


async def test_the_wait_ends_when_the_jobs_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    payload, api = await waited(monkeypatch, RUNNING, RUNNING, DONE)
    assert payload == {"finished": True}
    assert api.tokens_used == ["token-1"] * 3


async def test_jobs_of_an_earlier_submission_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = job("earlier", ended=False, failedIndexes="0-9")
    payload, _ = await waited(monkeypatch, jobs(earlier, job(completedIndexes="0-9")))
    assert payload == {"finished": True}


async def test_too_many_failed_shards_end_the_wait_early(monkeypatch: pytest.MonkeyPatch) -> None:
    tolerated = jobs(job(ended=False, failedIndexes="0-1"))
    too_many = jobs(job(ended=False, failedIndexes="0-2"))
    payload, api = await waited(monkeypatch, tolerated, too_many, allowed=2)
    assert payload == {"finished": False}
    assert len(api.tokens_used) == 2


async def test_jobs_that_are_gone_count_as_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    payload, _ = await waited(monkeypatch, jobs())
    assert payload == {"finished": True}


@pytest.mark.parametrize("fault", [408, 410, 429, 500, 502, 503, 504, "reset", "half"])
async def test_what_passes_by_itself_is_waited_out(monkeypatch: pytest.MonkeyPatch, fault: Step) -> None:
    payload, api = await waited(monkeypatch, RUNNING, fault, fault, fault, DONE)
    assert payload == {"finished": True}
    assert len(api.tokens_used) == 5


async def test_expired_credentials_are_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    payload, api = await waited(monkeypatch, RUNNING, 401, RUNNING, 401, DONE)
    assert payload == {"finished": True}
    assert api.tokens_used == ["token-1", "token-1", "token-2", "token-2", "token-3"]


async def test_fresh_credentials_that_are_refused_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    payload, api = await waited(monkeypatch, RUNNING, 401)
    assert payload == {"error": "cluster kubecon-demo-0: 401 told to say 401"}
    assert api.tokens_used == ["token-1", "token-1", "token-2"]


@pytest.mark.parametrize("refusal", [400, 403, 404, 422])
async def test_what_cannot_pass_ends_the_wait_at_once(monkeypatch: pytest.MonkeyPatch, refusal: int) -> None:
    payload, api = await waited(monkeypatch, refusal)
    assert payload == {"error": f"cluster kubecon-demo-0: {refusal} told to say {refusal}"}
    assert len(api.tokens_used) == 1


async def test_patience_with_a_cluster_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "PATIENCE", 2.0)
    payload, api = await waited(monkeypatch, 503)
    assert payload == {"error": "cluster kubecon-demo-0: 503 told to say 503"}
    assert len(api.tokens_used) > 1


async def test_a_trigger_is_made_again_from_what_it_is_stored_as(monkeypatch: pytest.MonkeyPatch) -> None:
    trigger = JobsTrigger(RUN.model_dump(mode="json"), 5.0, ["one"], 3)
    path, arguments = trigger.serialize()
    assert path == "higgsdemo.triggers.jobs.JobsTrigger"
    assert JobsTrigger(**json.loads(json.dumps(arguments))).serialize() == (path, arguments)

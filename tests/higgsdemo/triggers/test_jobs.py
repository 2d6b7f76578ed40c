"""The wait for Jobs outlasts what passes by itself, renews what expires, and tells why it ends early."""

import asyncio
import time
from typing import Any

import pytest
from airflow.jobs.triggerer_job_runner import TriggerRunner
from asgiref.sync import sync_to_async

from higgsdemo.triggers import polling
from higgsdemo.triggers.jobs import JobsTrigger
from planned_runs import planned
from scripted_api import Step, scripted_api
from waited_jobs import DONE, GO_ON, RUN, RUNNING, STOP, job, jobs, waited


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "LONGEST_PAUSE", 0.02)


async def test_too_many_failed_shards_end_the_wait_early(monkeypatch: pytest.MonkeyPatch) -> None:
    tolerated = jobs(job(ended=False, failedIndexes="0-1"))
    too_many = jobs(job(ended=False, failedIndexes="0-2"))
    payload, api = await waited(monkeypatch, tolerated, too_many, tolerance=2)
    assert payload == {"finished": False}
    assert len(api.tokens_used) == 2
    assert api.patches == [("one", STOP)]


async def test_a_dataset_may_have_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    tolerated = jobs(job(ended=False, failedIndexes="0-1"), job("two", dataset="E", failedIndexes="0,3"))
    too_many = jobs(job(ended=False, failedIndexes="0-1"), job("two", dataset="E", failedIndexes="0,3,5"))
    payload, api = await waited(
        monkeypatch, tolerated, too_many, names=("one", "two"), tolerance=0.5, dataset_tolerance=0.25
    )
    assert payload == {"finished": False}
    assert api.patches == [("one", STOP)]  # the other one has ended


async def test_a_failed_pod_of_several_shards_counts_as_one_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = job(completedIndexes="0", failedIndexes="1")
    packed["metadata"]["annotations"]["higgsdemo/shards-per-pod"] = "5"  # it publishes those that it can
    payload, _ = await waited(monkeypatch, jobs(packed), tolerance=1)
    assert payload == {"finished": True}


EARLIER = job("earlier", ended=False, failedIndexes="0-9")
ORPHAN = job("again", ended=False)
ORPHAN["metadata"]["annotations"] |= {"higgsdemo/races": "9"}
GOES_ON: dict[str, list[Step]] = {
    "Jobs of an earlier submission": [jobs(EARLIER, job(completedIndexes="0-9"))],
    "Jobs that are gone": [jobs()],
    "a second attempt whose Job was deleted without it": [jobs(ORPHAN)],
    "the same after a fault": [RUNNING, 503, 401, 503, 401, DONE],
    "the same after two": [RUNNING, 503, "reset", 401, 503, "reset", 401, DONE],
    "rights that the server knows a moment later": [403, RUNNING, 403, DONE],
}


@pytest.mark.parametrize("script", GOES_ON.values(), ids=GOES_ON)
async def test_what_does_not_matter_or_passes_does_not_end_the_wait(
    monkeypatch: pytest.MonkeyPatch, script: list[Step]
) -> None:
    payload, _ = await waited(monkeypatch, *script)
    assert payload == {"finished": True}


async def test_expired_credentials_are_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    payload, api = await waited(monkeypatch, RUNNING, 401, RUNNING, 401, DONE)
    assert payload == {"finished": True}
    assert api.tokens_used == ["token-1", "token-1", "token-2", "token-2", "token-3"]


async def test_fresh_credentials_that_are_refused_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    payload, api = await waited(monkeypatch, RUNNING, 401)
    assert payload == {"error": "cluster kubecon-demo-0: 401 told to say 401"}
    assert api.tokens_used == ["token-1", "token-1", "token-2"]


async def test_patience_with_a_cluster_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "LONGEST_PAUSE", 60.0)
    loop = asyncio.get_running_loop()
    clock, paused = loop.time, [0.0]

    async def pass_by(seconds: float) -> None:
        paused.append(seconds)

    monkeypatch.setattr(loop, "time", lambda: clock() + sum(paused))
    monkeypatch.setattr(polling.asyncio, "sleep", pass_by)
    payload, api = await waited(monkeypatch, 503)
    assert payload == {"error": "cluster kubecon-demo-0: 503 told to say 503"}
    assert 15 * 60 - 60 < sum(paused) < 16 * 60
    assert 15 < len(api.tokens_used) < 60


async def test_silence_is_told_in_words() -> None:
    trigger = JobsTrigger(RUN.model_dump(mode="json"), 0.01, None, ["one"], {"D": 10})
    assert trigger._explain(TimeoutError()) == "cluster kubecon-demo-0: no answer in 60 s"


async def test_a_stopped_job_goes_on_when_it_is_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = job(ended=False)
    stopped["metadata"]["annotations"]["higgsdemo/stopped"] = "true"
    suspended = {"suspend": True, "template": {}}
    stopped["spec"] = suspended
    queued = job("two", ended=False) | {"spec": suspended}  # by Kueue, say
    payload, api = await waited(monkeypatch, jobs(stopped, queued), stopped_no_more(), names=("one", "two"))
    assert payload == {"finished": True}
    assert api.patches == [("one", GO_ON)]


def stopped_no_more() -> dict[str, Any]:
    return jobs(job(completedIndexes="0-9"), job("two", completedIndexes="0-9"))


@pytest.mark.parametrize(("asked_for", "waiting", "refused"), [(0, 0, False), (1, 0, True), (1, 1, False)])
async def test_a_wait_goes_on_without_a_race_that_nobody_asks_for_or_the_cluster_has_no_room_for_or_refuses(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    asked_for: int,
    waiting: int,
    refused: bool,
) -> None:
    """The pod of the last index has run since January, others for 5 s; no ConfigMap can be read."""
    began, ended = ({"startTime": f"2026-01-01T00:00:0{second}Z"} for second in (0, 5))
    state = {"terminated": {"finishedAt": ended["startTime"]}}
    labels = {"labels": {"batch.kubernetes.io/job-completion-index": "9"}}
    pods = [
        {"metadata": labels, "status": {"phase": "Running", **began}},
        {
            "metadata": labels,
            "status": {"phase": "Succeeded", **began, "containerStatuses": [{"state": state}]},
        },
    ]
    last = job(ended=False, completedIndexes="0-8", active=1 + waiting, ready=1)
    manifest = {"name": "manifest", "configMap": {"name": "gone"}}
    last["spec"] = {"completions": 10, "template": {"spec": {"volumes": [manifest]}}}
    payload, _ = await waited(monkeypatch, jobs(last), DONE, given={"pods": pods}, race_stragglers=asked_for)
    assert payload == {"finished": True}
    assert ("no second attempt at slow shards: 404" in capsys.readouterr().out) == refused


async def test_jobs_are_stopped_when_the_run_has_no_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = job("two", completedIndexes="0-9")
    running = jobs(job(ended=False, ready=3), ended)
    payload, api = await waited(monkeypatch, running, names=("one", "two"), deadline=time.time())
    assert payload == {
        "error": "cluster kubecon-demo-0: the run has taken the 2 hours that its campaign allows (max_hours)",
        "final": True,
    }
    assert api.patches == [("one", STOP)]


async def test_a_cluster_that_is_away_is_not_waited_for_beyond_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payload, api = await waited(monkeypatch, 503, deadline=time.time())
    assert payload == {"error": "cluster kubecon-demo-0: 503 told to say 503"}
    assert len(api.tokens_used) == 1


@pytest.mark.parametrize("step", range(0, 160, 8))
async def test_a_mark_stops_the_jobs_at_whatever_moment_it_comes(
    monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Airflow's own runner of triggers, which knows a mark by the message of the cancellation."""

    async def busy(trigger: JobsTrigger, api: Any) -> None:
        await sync_to_async(time.sleep, thread_sensitive=False)(0.002)  # loses what it is cancelled with
        await poll(trigger, api)

    poll = JobsTrigger.poll
    monkeypatch.setattr(JobsTrigger, "poll", busy)
    async with scripted_api(monkeypatch, RUNNING) as api:
        runner = TriggerRunner()
        trigger = JobsTrigger(RUN.model_dump(mode="json"), 0.001, None, ["one"], {"D": 10})
        task = asyncio.ensure_future(runner.run_trigger(1, trigger))
        runner.triggers[1] = {"task": task, "is_watcher": False, "name": "wait", "events": 0}
        for _ in range(step + 2):  # before its first step a task has nothing to end
            await asyncio.sleep(0.0005 if step % 3 else 0)
        runner.to_cancel.append(1)
        await runner.cancel_triggers()
        await asyncio.wait({task})
        looks = len(api.tokens_used)
        await asyncio.sleep(0.02)
    assert api.patches == [("one", STOP)]
    assert len(api.tokens_used) == looks  # nothing goes on asking


async def killed(
    monkeypatch: pytest.MonkeyPatch, *script: Step, **run: Any
) -> list[tuple[str, dict[str, Any]]]:
    """Return what becomes of Jobs whose wait Airflow kills, and cancels again with every heartbeat."""
    async with scripted_api(monkeypatch, *script, RUNNING) as api:
        trigger = JobsTrigger(planned(run).model_dump(mode="json"), 0.01, None, ["one"], {"D": 10})
        killing = asyncio.ensure_future(trigger.on_kill())
        while not killing.done():
            await asyncio.sleep(0.002)
            killing.cancel()
    return api.patches


@pytest.mark.parametrize("busy", [(), (503, 429, 401)])
async def test_a_killed_wait_stops_its_jobs_though_it_is_cancelled_and_the_cluster_busy(
    monkeypatch: pytest.MonkeyPatch, busy: tuple[int, ...]
) -> None:
    assert await killed(monkeypatch, *busy) == [("one", STOP)]


async def test_a_killed_wait_may_release_its_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await killed(monkeypatch, on_cancel="release") == []


async def test_jobs_that_cannot_be_stopped_in_time_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(polling, "KILL_IN", 0.0)
    monkeypatch.setattr(polling, "ANSWER_IN", 0.0)
    assert await killed(monkeypatch) == []
    assert "no answer in 0 s; its pods cannot be stopped, and run on" in capsys.readouterr().out


@pytest.mark.parametrize(("state", "patches"), [("failed", 1), ("success", 1), ("deferred", 0), (None, 0)])
async def test_a_wait_that_goes_on_elsewhere_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, state: str | None, patches: int
) -> None:
    async def ended(task_instance: Any) -> bool:
        return state in polling.ENDED

    monkeypatch.setattr(polling, "has_ended", ended)
    assert len(await killed(monkeypatch)) == patches

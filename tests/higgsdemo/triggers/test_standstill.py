"""Where no pod can run, or none can end, the wait says why, and gives up when there is no hope left."""

import re
import time
from typing import Any

import pytest

from higgsdemo.triggers import lost_nodes, standstill
from higgsdemo.triggers.jobs import JobsTrigger
from scripted_api import scripted_api
from tables import cases
from waited_jobs import DONE, RUN, STOP, job, jobs, waited

PENDING = jobs(job(ended=False, active=4))
NO_PODS = jobs(job(ended=False))


def pod(waiting: dict[str, str] | None = None, unplaced: str | None = None) -> dict[str, Any]:
    """Return a pending pod, whose container waits for this, or which no node takes."""
    status = {"name": "analysis", "image": "higgs:2", "imageID": "", "ready": False, "restartCount": 0}
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": unplaced}
    return {
        "metadata": {"name": "p", "uid": "uid-of-p"},
        "spec": {"nodeName": "node-0", "containers": []},
        "status": {
            "phase": "Pending",
            "containerStatuses": [status | {"state": {"waiting": waiting}}] if waiting else [],
            "conditions": [condition] if unplaced else [],
        },
    }


def event(name: str, reason: str, message: str, minute: int = 0, type_: str = "Warning") -> dict[str, Any]:
    return {
        "metadata": {"name": f"{name}-{reason}"},
        "involvedObject": {"kind": "Pod" if name == "p" else "Job", "name": name, "uid": f"uid-of-{name}"},
        "lastTimestamp": f"2026-01-01T00:{minute:02}:00Z",
        "type": type_,
        "reason": reason,
        "message": message,
    }


CREATING = pod({"reason": "ContainerCreating"})
NO_ROOM = "0/2 nodes are available: 2 Insufficient cpu."


@cases
async def test_jobs_of_which_no_pod_can_run_are_given_up_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    pods: list[dict[str, Any]],
    events: list[list[Any]] | int,
    why: str,
) -> None:
    monkeypatch.setattr(standstill, "TOLD_AFTER", 0.0)
    told = events if isinstance(events, int) else [event(*one) for one in events]
    given = {"pods": [pod(**one) for one in pods], "events": told}
    script = PENDING if pods else NO_PODS
    payload, api = await waited(monkeypatch, script, given=given, max_idle_hours=0.3 / 3600)
    assert payload["final"]
    told = r"cluster kubecon-demo-0: no pod has run for 0 minutes: "
    assert re.match(f"{told}.*{re.escape(why)}", payload["error"])
    (_, kept), stopped = api.patches
    assert kept["metadata"]["annotations"]["higgsdemo/idle-since"].endswith(", 0 ended")
    assert stopped == ("one", STOP)
    assert capsys.readouterr().out.count(why) == 1  # the log has it once


@pytest.mark.parametrize(("reason", "looks"), [("ErrImagePull", 6), ("InvalidImageName", 2)])
async def test_jobs_whose_image_cannot_be_pulled_are_given_up_early(
    monkeypatch: pytest.MonkeyPatch, reason: str, looks: int
) -> None:
    secretless = pod({"reason": "CreateContainerConfigError", "message": 'secret "s" not found'})
    refused = pod({"reason": reason, "message": "no such image"})
    payload, api = await waited(monkeypatch, PENDING, given={"pods": [CREATING, secretless, refused]})
    why = f"node node-0 cannot pull higgs:2: {reason} no such image"
    assert payload == {"error": f"cluster kubecon-demo-0: {why}", "final": True}
    assert api.patches == [("one", STOP)]
    assert len(api.tokens_used) == looks


@pytest.mark.parametrize("case", ["nodes come", "a queue holds the Jobs"])
async def test_what_takes_its_time_is_waited_for_longer(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.setattr(standstill, "LONGER", 1e9)
    held = jobs(job(ended=False) | {"spec": {"suspend": True, "template": {}}})
    grows = [
        event("p", "FailedScheduling", NO_ROOM),
        event("p", "TriggeredScaleUp", "pod triggered scale-up", 1, "Normal"),
    ]
    given = {"pods": [pod(unplaced=NO_ROOM)], "events": grows}
    script = PENDING if case == "nodes come" else held
    payload, _ = await waited(monkeypatch, *[script] * 20, DONE, given=given, max_idle_hours=1e-9)
    assert payload == {"finished": True}


@pytest.mark.parametrize(
    ("ago", "status", "given_up"),
    [
        (3600, {"active": 4, "failed": 2}, True),
        (60, {"active": 4, "failed": 2}, False),
        (3600, {"active": 4, "failed": 3}, False),
        (3600, {"active": 4, "failed": 2, "ready": 1}, False),
        (-3600, {"active": 4, "failed": 2}, False),
        (None, {"active": 4, "failed": 2}, False),
    ],
)
async def test_another_triggerer_goes_on_counting_the_time_without_a_pod_that_runs(
    monkeypatch: pytest.MonkeyPatch, ago: int | None, status: dict[str, int], given_up: bool
) -> None:
    kept = job(ended=False, **status)
    since = "odd" if ago is None else f"{time.time() - ago:.0f}"
    kept["metadata"]["annotations"]["higgsdemo/idle-since"] = f"{since}, 2 ended"
    given = {"pods": [pod(unplaced=NO_ROOM)]}
    payload, _ = await waited(monkeypatch, *[jobs(kept)] * 3, DONE, given=given, max_idle_hours=0.5)
    told = re.search(r"no pod has run for (\d+) minutes", payload.get("error", ""))
    assert (told is not None and int(told[1]) >= 60) == given_up


async def test_pods_that_come_and_go_are_no_standstill(monkeypatch: pytest.MonkeyPatch) -> None:
    script = [jobs(job(ended=False, active=1, failed=count)) for count in range(20)]
    payload, _ = await waited(monkeypatch, *script, DONE, given={"pods": [CREATING]}, max_idle_hours=1e-9)
    assert payload == {"finished": True}


STUCK = jobs(job(ended=False, ready=1, active=1, terminating=1))


def ending() -> dict[str, Any]:
    told = pod()
    told["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    told["status"]["phase"] = "Running"
    return told


async def waiting_for(monkeypatch: pytest.MonkeyPatch, *, ours: bool = True, **given: Any) -> tuple[Any, Any]:
    """Return what one look says that its dataset waits for, and the nodes that it has removed."""
    async with scripted_api(monkeypatch, STUCK) as api:
        vars(api).update(given)
        trigger = JobsTrigger(RUN.model_dump(mode="json"), 0.01, None, ["one"], {"D": 10})
        trigger._lost.ours = ours
        async with trigger.provider.connect_async() as client:
            assert await trigger.poll(client) is None
    return trigger._seen["D"].get("waiting"), api.removed


@pytest.mark.parametrize(
    ("ours", "ready", "removed"), [(True, "Unknown", ["node-0"]), (True, "True", []), (False, "Unknown", [])]
)
async def test_a_node_that_has_died_is_told_of_and_removed_where_it_is_ours(
    monkeypatch: pytest.MonkeyPatch, ours: bool, ready: str, removed: list[str]
) -> None:
    """A pod on such a node has been told to end, and stays until the node's object goes."""
    monkeypatch.setattr(lost_nodes, "STUCK_AFTER", 0.0)
    monkeypatch.setattr(lost_nodes, "LOST_AFTER", 0.0)
    conditions = {"conditions": [{"type": "Ready", "status": ready}]}
    nodes = {"node-0": {"metadata": {"name": "node-0", "uid": "n"}, "status": conditions}}
    told, gone = await waiting_for(monkeypatch, ours=ours, pods=[ending()], nodes=nodes)
    assert gone == removed
    assert told.startswith("node node-0 does not end 1 pods, whose shards wait for it")
    assert ("was removed" in told) == bool(removed)
    assert ("kubectl delete node node-0" in told) == (not removed)


async def test_pods_that_end_in_time_are_nothing_to_tell_of(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await waiting_for(monkeypatch, pods=[ending()]) == (None, [])


async def test_pods_that_do_not_end_among_more_than_are_looked_at_are_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lost_nodes, "LOST_AFTER", 0.0)
    told, _ = await waiting_for(monkeypatch, more_pods=True)
    assert told == "1 pods do not end, whose shards wait: has a node died (kubectl get nodes)?"

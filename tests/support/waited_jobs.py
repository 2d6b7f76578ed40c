"""Jobs as a scripted API gives them, and the wait for them from its begin to its event."""

from typing import Any

import pytest

from higgsdemo.kubernetes.names import labels
from higgsdemo.triggers.jobs import JobsTrigger
from planned_runs import planned
from scripted_api import ScriptedApi, Step, scripted_api

RUN = planned({"max_hours": 2.0})


def job(name: str = "one", ended: bool = True, dataset: str = "D", **status: Any) -> dict[str, Any]:
    conditions = [{"type": "Complete", "status": "True"}] if ended else []
    annotations = {"higgsdemo/shards": "10", "higgsdemo/shards-per-pod": "1"}
    return {
        "metadata": {
            "name": name,
            "uid": f"uid-of-{name}",
            "labels": labels(RUN.run, dataset),
            "annotations": annotations,
        },
        "status": {"conditions": conditions, **status},
    }


def jobs(*items: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "JobList", "apiVersion": "batch/v1", "items": list(items)}


STOP, GO_ON = (
    {"metadata": {"annotations": {"higgsdemo/stopped": stopped, "higgsdemo/idle-since": None}}}
    | {"spec": {"suspend": bool(stopped)}}
    for stopped in ("true", None)
)
DONE = jobs(job(completedIndexes="0-9"))
RUNNING = jobs(job(ended=False, ready=3))


async def waited(
    monkeypatch: pytest.MonkeyPatch,
    *script: Step,
    names: tuple[str, ...] = ("one",),
    deadline: float | None = None,
    given: dict[str, Any] | None = None,
    shards: dict[str, int] | None = None,
    cluster: dict[str, Any] | None = None,
    **run: Any,
) -> tuple[dict[str, Any], ScriptedApi]:
    """Return the payload of the trigger's event, and the API it asked; `given` is what else that knows."""
    async with scripted_api(monkeypatch, *script) as api:
        vars(api).update(given or {})
        assignment = planned({"max_hours": 2.0} | run, cluster).model_dump(mode="json")
        trigger = JobsTrigger(assignment, 0.01, deadline, list(names), shards or {"D": 10, "E": 10})
        events = [event async for event in trigger.run()]
    (event,) = events
    return event.payload, api

"""The wait for the image goes on for as long as it comes to nodes, and ends when it can help no more."""

from typing import Any

import pytest

from higgsdemo.triggers import polling, prepull
from higgsdemo.triggers.prepull import PrepullTrigger
from planned_runs import planned
from scripted_api import Step, scripted_api


def nodes(ready: int, wanted: int = 3) -> dict[str, Any]:
    counts = {"currentNumberScheduled": wanted, "numberMisscheduled": 0, "observedGeneration": 1}
    return {
        "kind": "DaemonSet",
        "apiVersion": "apps/v1",
        "metadata": {"name": "pull", "uid": "uid-of-pull", "generation": 1},
        "status": counts | {"desiredNumberScheduled": wanted, "numberReady": ready},
    }


async def waited(monkeypatch: pytest.MonkeyPatch, *script: Step) -> tuple[dict[str, Any], int]:
    async with scripted_api(monkeypatch, *script) as api:
        trigger = PrepullTrigger(planned().model_dump(mode="json"), 0.01, None, "pull")
        (event,) = [event async for event in trigger.run()]
    return event.payload, len(api.tokens_used)


async def test_the_wait_ends_when_every_node_holds_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await waited(monkeypatch, nodes(0), nodes(2), nodes(3)) == ({"nodes": 3}, 3)


@pytest.mark.parametrize("answer", ["page", "odd", {}])
async def test_what_a_proxy_answers_does_not_end_the_wait(
    monkeypatch: pytest.MonkeyPatch, answer: Step
) -> None:
    monkeypatch.setattr(polling, "LONGEST_PAUSE", 0.02)
    assert await waited(monkeypatch, nodes(0), answer, nodes(3)) == ({"nodes": 3}, 3)


@pytest.mark.parametrize("ready", [0, 2])
async def test_a_node_that_is_full_or_not_ready_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ready: int
) -> None:
    monkeypatch.setattr(prepull, "STALLED", 0.1 / 3600)
    payload, looks = await waited(monkeypatch, nodes(0), nodes(ready))
    assert (payload, looks > 3) == ({"nodes": ready}, True)
    told = f"{3 - ready} nodes are left out, their pods pull the image: the cluster does not"
    assert told in capsys.readouterr().out

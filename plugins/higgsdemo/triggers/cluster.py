"""Waiting until a cluster is made, or gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from higgsdemo.clusters import BUSY, ClusterError, Phase, State, provider_of
from higgsdemo.deadline import passed, too_late
from higgsdemo.run import ClusterRun

PATIENCE = 900.0  # s without an answer until the provider is given up
LONGEST = 3600.0  # s; clouds take up to half an hour for a cluster


class ClusterTrigger(BaseTrigger):
    """Poll a cluster's provider for as long as it is busy with the cluster.

    :param assignment: a ClusterRun as JSON.
    :param poll_seconds: pause before each poll.
    :param deadline: when to give up (seconds since 1970); None for never.
    """

    def __init__(self, assignment: dict[str, Any], poll_seconds: float, deadline: float | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.assignment, self.poll_seconds, self.deadline = assignment, poll_seconds, deadline
        self.planned = ClusterRun.read(assignment)
        self.provider = provider_of(self.planned)
        self._told: State | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger's class and arguments, which the triggerer makes it from."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        arguments = {"poll_seconds": self.poll_seconds, "deadline": self.deadline}
        return path, {"assignment": self.assignment, **arguments}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until there is something to do; an ``error`` in the event says why there never will be."""
        clock = asyncio.get_running_loop().time
        start = last_answer = clock()
        while True:
            await asyncio.sleep(self.poll_seconds)
            if passed(self.deadline):
                late = f"cluster {self.provider.cluster.name}: {too_late(self.planned.run)}"
                yield TriggerEvent({"error": late, "final": True})
                return
            try:
                # A thread for each: clouds answer in their own time, and a campaign may have many clusters.
                state = await sync_to_async(self.provider.state, thread_sensitive=False)()
            except ClusterError as error:
                if error.final or clock() - last_answer > PATIENCE:
                    yield TriggerEvent({"error": str(error), "final": error.final})
                    return
                self.log.warning("%s; asking again", error)
                continue
            last_answer = clock()
            self._tell(state)
            if state.phase not in BUSY:
                yield TriggerEvent(self._event(state))
                return
            if last_answer - start > LONGEST:
                late = f"is still {state.phase} after {LONGEST / 60:.0f} minutes: {state.detail}"
                yield TriggerEvent({"error": f"cluster {self.provider.cluster.name} {late}"})
                return

    def _event(self, state: State) -> dict[str, str]:
        if state.phase == Phase.FAILED:
            return {"error": f"cluster {self.provider.cluster.name} has failed: {state.detail}"}
        return {"phase": state.phase.value}

    def _tell(self, state: State) -> None:
        if state != self._told:
            self._told = state
            detail = f" ({state.detail})" if state.detail else ""
            self.log.info("cluster %s is %s%s", self.provider.cluster.name, state.phase, detail)

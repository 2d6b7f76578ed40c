"""Waiting until a cluster runs, or is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from higgsdemo.clusters import ClusterError, Phase, provider_of
from higgsdemo.run import ClusterRun


class ClusterTrigger(BaseTrigger):
    """Poll a cluster's provider until the cluster is in the wanted phase.

    :param assignment: a ClusterRun as JSON.
    :param phase: the phase waited for.
    :param poll_seconds: pause between two polls.
    """

    def __init__(self, assignment: dict[str, Any], phase: str, poll_seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.assignment, self.phase, self.poll_seconds = assignment, phase, poll_seconds
        self.provider = provider_of(ClusterRun.model_validate(assignment).cluster)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger's class and arguments, which the triggerer makes it from."""
        arguments = {
            "assignment": self.assignment,
            "phase": self.phase,
            "poll_seconds": self.poll_seconds,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the phase is reached; an ``error`` in the event says that it will not be."""
        while True:
            try:
                phase = await sync_to_async(self.provider.phase)()
            except ClusterError as error:
                yield TriggerEvent({"error": str(error)})
                return
            if phase == Phase(self.phase):
                yield TriggerEvent({"phase": self.phase})
                return
            self.log.info("cluster %s is %s", self.provider.cluster.name, phase)
            await asyncio.sleep(self.poll_seconds)

"""Asking a cluster again and again, for hours, over a connection that fails now and then.

One client lives as long as the trigger. It is made anew, with fresh credentials, when the API says 401 (they
have expired) or when the connection has gone; whatever passes by itself is waited out with growing pauses,
and only what cannot pass ends the wait.
"""

from __future__ import annotations

import asyncio
import random
from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from higgsdemo.clusters import ClusterError, Unreachable, provider_of
from higgsdemo.run import ClusterRun

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

PASSING = {408, 410, 425, 429, 500, 502, 503, 504}  # HTTP statuses that pass by themselves
EXPIRED = 401
LONGEST_PAUSE = 60.0  # s
ANSWER_IN = 60.0  # s: the client itself would wait for ever on a connection that has silently gone
PATIENCE = 900.0  # s without one good answer until the cluster is given up


class PollingTrigger(BaseTrigger):
    """Poll a cluster until there is something to tell the task.

    :param assignment: a ClusterRun as JSON.
    :param poll_seconds: pause between two polls.
    """

    def __init__(self, assignment: dict[str, Any], poll_seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.assignment = assignment
        self.poll_seconds = poll_seconds
        self.planned = ClusterRun.model_validate(assignment)
        self.provider = provider_of(self.planned)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger's class and arguments, which the triggerer makes it from."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {"assignment": self.assignment, "poll_seconds": self.poll_seconds}

    @abstractmethod
    async def poll(self, api: ApiClient) -> dict[str, Any] | None:
        """Ask once; return the event's payload when the wait is over, else None."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until there is an event; an ``error`` in its payload says why the wait had to be given up."""
        from aiohttp import ClientError
        from kubernetes_asyncio.client.exceptions import ApiException

        clock = asyncio.get_running_loop().time
        failures, last_answer = 0, clock()
        while True:
            try:
                async with self.provider.connect_async() as api:
                    while True:
                        async with asyncio.timeout(ANSWER_IN):
                            payload = await self.poll(api)
                        failures, last_answer = 0, clock()
                        if payload is not None:
                            yield TriggerEvent(payload)
                            return
                        await asyncio.sleep(self.poll_seconds)
            except (ApiException, ClientError, ClusterError, OSError) as error:
                if _final(error, failures) or clock() - last_answer > PATIENCE:
                    yield TriggerEvent({"error": self._explain(error)})
                    return
                failures += 1
                pause = min(self.poll_seconds * 2**failures, LONGEST_PAUSE) * random.uniform(0.5, 1.0)
                self.log.warning("%s; asking again in %.0f s", self._explain(error), pause)
                await asyncio.sleep(pause)

    def _explain(self, error: Exception) -> str:
        from kubernetes_asyncio.client.exceptions import ApiException

        from higgsdemo.kube import reason

        cause = reason(error) if isinstance(error, ApiException) else f"{type(error).__name__}: {error}"
        return f"cluster {self.planned.cluster.name}: {cause}"


def _final(error: Exception, failures: int) -> bool:
    """Whether asking again cannot help; credentials are given one try to be made anew."""
    from kubernetes_asyncio.client.exceptions import ApiException

    if isinstance(error, ApiException):
        return not (error.status in PASSING or (error.status == EXPIRED and failures == 0))
    return isinstance(error, ClusterError) and not isinstance(error, Unreachable)

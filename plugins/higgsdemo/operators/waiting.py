"""Waits of the cluster group: a moment in the worker, then in the triggerer.

A deferral costs about three seconds, until the trigger runs and the task has been started again. A wait that
ends sooner is not worth one: small clusters are created, pull an image and are deleted in a second or two.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from higgsdemo.operators.base import ClusterOperator, TaskFailed

if TYPE_CHECKING:
    from higgsdemo.triggers.base import ClusterRunTrigger

MOMENT = 3.0  # s that the worker waits before it defers
POLLS = 5  # by the worker, in the time of one by the triggerer


class WaitingOperator(ClusterOperator):
    """A task of the cluster group that waits for the event of a trigger."""

    _watching: asyncio.Future[Any] | None = None

    def wait(self, trigger: ClusterRunTrigger, context: Context) -> dict[str, Any]:
        """Return what ``execute_complete`` makes of the trigger's event; defer if there is none soon."""
        trigger.poll_seconds /= POLLS
        payload = asyncio.run(self._watch(trigger, context))
        trigger.poll_seconds *= POLLS
        if payload is None:
            self.defer(trigger=trigger, method_name="execute_complete")
        return self.execute_complete(context, payload)

    @abstractmethod
    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Go on with the payload of the trigger's event."""

    def on_kill(self) -> None:
        """End the wait. Airflow calls this from a signal handler."""
        if self._watching is not None:
            self._watching.get_loop().call_soon_threadsafe(self._watching.cancel)

    async def _watch(self, trigger: ClusterRunTrigger, context: Context) -> dict[str, Any] | None:
        """Return the payload of the trigger's event; None if there is none within ``MOMENT``."""
        events = trigger.run()
        self._watching = asyncio.ensure_future(anext(events))
        try:
            async with asyncio.timeout(MOMENT):
                event = await self._watching
        except TimeoutError:
            return None
        except asyncio.CancelledError:
            trigger.task_instance = context["ti"]  # type: ignore[assignment]
            await trigger.on_kill()
            raise TaskFailed("ended on request while it waited") from None
        await anext(events, None)
        payload: dict[str, Any] = event.payload
        return payload

"""Waits of the cluster group: for a moment in the worker, and from then on in the triggerer.

A deferral takes about three seconds, until the trigger runs and the task is started again. What ends sooner
is not worth one: a small cluster is made, has pulled an image or is gone within a second or two.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from higgsdemo.operators.base import ClusterOperator, TaskFailed

if TYPE_CHECKING:
    from airflow.sdk import Context

    from higgsdemo.triggers.base import ClusterRunTrigger

MOMENT = 3.0  # s
OFTENER = 5  # times as many polls meanwhile


class WaitingOperator(ClusterOperator):
    """A task of the cluster group that waits for the event of a trigger."""

    _watching: asyncio.Future[Any] | None = None

    def wait(self, trigger: ClusterRunTrigger, context: Context) -> dict[str, Any]:
        """Return what ``execute_complete`` makes of the trigger's event; defer if there is none soon."""
        trigger.poll_seconds /= OFTENER
        payload = asyncio.run(self._watch(trigger, context))
        trigger.poll_seconds *= OFTENER
        if payload is None:
            self.defer(trigger=trigger, method_name="execute_complete")
        return self.execute_complete(context, payload)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Go on with the payload of the trigger's event."""
        raise NotImplementedError

    def on_kill(self) -> None:
        """End the wait. Airflow calls this from a signal handler."""
        if self._watching is not None:
            self._watching.get_loop().call_soon_threadsafe(self._watching.cancel)

    async def _watch(self, trigger: ClusterRunTrigger, context: Context) -> dict[str, Any] | None:
        """Run a trigger until it has an event, which it may follow up; return None if there is none soon."""
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

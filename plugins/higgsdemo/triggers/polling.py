"""Poll a cluster for hours over a connection that fails now and then.

One client lives as long as the trigger. It is recreated, with fresh credentials, when the API answers 401
(they have expired) or when the connection is lost. Temporary errors are retried with growing pauses; only
permanent ones end the wait.
"""

import asyncio
import json
import random
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import greenback
from aiohttp import ClientError
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.triggers.base import TriggerEvent
from kubernetes_asyncio.client import ApiClient
from kubernetes_asyncio.client.exceptions import ApiException
from kubernetes_asyncio.client.rest import RESTResponse

from higgsdemo.clusters import ClusterError
from higgsdemo.deadline import is_over, too_late
from higgsdemo.kubernetes.requests import FINAL, check_answer, decodable, reason
from higgsdemo.triggers.base import ClusterRunTrigger

PASSING = {408, 410, 425, 429, 500, 502, 503, 504}  # temporary HTTP statuses
REFUSED = {401, 403}  # once: credentials expire, and a server that has just started knows no rights yet
LONGEST_PAUSE = 60.0  # s
ANSWER_IN = 60.0  # s: the client itself would wait forever on a connection that was lost silently
KILL_IN = 300.0  # s; Airflow cancels a stop after 30, but `on_kill` ignores every cancellation
TOLD_EVERY = 60.0  # s between two lines of the log about an obstacle
PATIENCE = 900.0  # s without one good answer until the cluster is given up
ENDED = {"success", "failed", "skipped", "upstream_failed", "removed", "absent"}


class PollingTrigger(ClusterRunTrigger):
    """Poll a cluster until there is a result for the task."""

    _over = _told = False
    _warned = -TOLD_EVERY, ""

    @abstractmethod
    async def poll(self, api: ApiClient) -> dict[str, Any] | None:
        """Poll once; return the event's payload when the wait is over, else None."""

    def after_poll(self, *, last: bool) -> None:
        """Begin what the wait does not depend on, after each answered poll."""

    async def after_event(self) -> None:
        """Finish what is left once the task has its event."""

    @abstractmethod
    async def stop(self, api: ApiClient) -> None:
        """Stop what the task waits for, since nobody will; repeating it changes nothing."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until there is an event; an ``error`` in its payload says why the wait was given up.

        Airflow tells a mark from its own end only by the message of the cancellation. The code below may lose
        that, or the whole cancellation (``sync_to_async``, time-outs), so it is a task of its own.
        """
        polling = asyncio.ensure_future(self._poll_on())
        try:
            payload = await asyncio.shield(polling)
        finally:
            self._over = True
            polling.cancel()
        self._told = True
        yield TriggerEvent(payload)
        await self.after_event()

    async def _poll_on(self) -> dict[str, Any]:
        await greenback.ensure_portal()  # as the triggerer does for its tasks: hooks use it to mask secrets
        clock = asyncio.get_running_loop().time
        failures, refused, last_answer = 0, False, clock()
        while not self._over:
            try:
                async with self._connected() as api:
                    while not self._over:
                        async with asyncio.timeout(ANSWER_IN):
                            payload = await self.poll(api) or await self._out_of_time(api)
                        failures, refused, last_answer = 0, False, clock()
                        self.after_poll(last=payload is not None)
                        if payload is not None:
                            return payload
                        await asyncio.sleep(self.poll_seconds)
            except (ApiException, ClientError, ClusterError, OSError) as error:
                before, refused = refused, getattr(error, "status", None) in REFUSED
                hopeless = _final(error) or (refused and before)  # as were fresh credentials
                if hopeless or clock() - last_answer > PATIENCE or is_over(self.deadline):
                    final = {"final": True} if hopeless and _lasts(error) else {}
                    return {"error": self._explain(error), **final}
                failures += 1
                pause = min(self.poll_seconds * 2**failures, LONGEST_PAUSE) * random.uniform(0.5, 1.0)
                pause = max(pause, min(_asked_for(error), LONGEST_PAUSE))
                self.log.warning("%s; asking again in %.0f s", self._explain(error), pause)
                await asyncio.sleep(pause)
        raise asyncio.CancelledError

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[ApiClient]:
        """Return a client that believes only the API, as the synchronous one does."""
        async with self.provider.connect_async() as api:
            asked = api.rest_client.request

            async def request(method: str, url: str, **arguments: Any) -> Any:
                with decodable(ApiException):
                    answer = await asked(method, url, **arguments)
                    if arguments.get("_preload_content", True):
                        check_answer(answer.data, ApiException)
                    return answer

            api.rest_client.request = request  # type: ignore[method-assign,assignment]
            yield api

    def warn(self, why: str | None) -> None:
        """Log an obstacle once it is new, but not too often: each try may word it differently."""
        now = asyncio.get_running_loop().time()
        if why and why != self._warned[1] and now - self._warned[0] >= TOLD_EVERY:
            self._warned = now, why
            self.log.warning("cluster %s: %s", self.assignment.cluster.name, why)

    async def on_kill(self) -> None:
        """Stop the Jobs when somebody has ended the task, unless the campaign releases them.

        Airflow calls it when the task was marked, never when a triggerer stops; and cancels it with each of
        its heartbeats, so that it must ignore cancellation to live longer than a second.
        """
        stopping = asyncio.ensure_future(self._stop_if_ended())
        while not stopping.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(stopping)

    async def _stop_if_ended(self) -> None:
        """Stop what the task waits for, again and again until the cluster answers."""
        clock, name = asyncio.get_running_loop().time, self.assignment.cluster.name
        give_up = clock() + KILL_IN
        while True:
            try:
                async with asyncio.timeout(ANSWER_IN):
                    if self._told or self.assignment.run.on_cancel == "release":
                        return
                    if not await has_ended(self.task_instance):
                        return
                    async with self._connected() as api:
                        await self.stop(api)
            except Exception as error:  # noqa: BLE001  # whatever it is, people must know what still runs
                if _final(error) or clock() > give_up:
                    self.log.error("%s; its pods cannot be stopped, and run on", self._explain(error))
                    return
                await asyncio.sleep(self.poll_seconds)
            else:
                self.log.warning("cluster %s: stopped, as the task was ended by hand", name)
                return

    async def _out_of_time(self, api: ApiClient) -> dict[str, Any] | None:
        """Stop what the task waits for, and say so, when the run has no time left."""
        if not is_over(self.deadline):
            return None
        await self.stop(api)
        late = f"cluster {self.assignment.cluster.name}: {too_late(self.assignment.run)}"
        return {"error": late, "final": True}

    def _explain(self, error: Exception) -> str:
        cause = reason(error) if isinstance(error, ApiException) else f"{type(error).__name__}: {error}"
        if isinstance(error, TimeoutError) and not str(error):
            cause = f"no answer in {ANSWER_IN:.0f} s"
        return f"cluster {self.assignment.cluster.name}: {cause}"


async def has_ended(task_instance: Any) -> bool:
    """Return whether a trigger's task has ended for good; outside of Airflow there is none.

    Airflow removes the trigger of a task that was marked or cleared, and one that another triggerer has taken
    over; a cleared task will soon wait for the same Jobs again.
    """
    return task_instance is None or await asyncio.to_thread(_state, task_instance) in ENDED


def _state(task_instance: Any) -> str | None:
    """Return the task's state; None when it has been cleared, "absent" when its run was deleted."""
    run, index = task_instance.run_id, task_instance.map_index
    found = RuntimeTaskInstance.get_task_states(
        dag_id=task_instance.dag_id, task_ids=[task_instance.task_id], run_ids=[run], map_index=index
    )
    suffix = f"_{index}" if index >= 0 else ""  # Airflow's name of a mapped task's instance
    state: str | None = found.get(run, {}).get(f"{task_instance.task_id}{suffix}", "absent")
    return state


async def read_items(listing: Awaitable[Any]) -> list[dict[str, Any]]:
    """Return the objects in a list as they are in its JSON: the client's models cost thirty times as much.

    :param listing: a request of the client, without the content.
    """
    answer = await listing
    body = await answer.read()
    if not 200 <= answer.status <= 299:
        told = RESTResponse(answer, body.decode(errors="replace"))
        raise ApiException(http_resp=told)  # type: ignore[arg-type]  # as the client itself does
    try:
        items: list[dict[str, Any]] = json.loads(body)["items"] or []
    except (ValueError, LookupError, TypeError):
        raise ApiException(status=502, reason="the answer is no list of objects") from None
    return items


def _asked_for(error: Exception) -> float:
    """Return the seconds that a server asks to wait (Retry-After)."""
    headers = getattr(error, "headers", None) or {}
    asked = str(headers.get("Retry-After", "0"))
    return float(asked) if asked.isdecimal() else 0.0


@contextmanager
def passing_over(*statuses: int) -> Iterator[None]:
    """Treat these HTTP statuses as answers."""
    try:
        yield
    except ApiException as error:
        if error.status not in statuses:
            raise


def _final(error: Exception) -> bool:
    """Return whether asking again cannot help; a refusal is asked about once more."""
    if isinstance(error, ApiException):
        return error.status not in PASSING | REFUSED
    return isinstance(error, ClusterError) and error.final


def _lasts(error: Exception) -> bool:
    """Whether another wait would end the same; a DaemonSet that is gone (404) would be recreated."""
    return getattr(error, "final", False) or getattr(error, "status", None) in FINAL - {404}

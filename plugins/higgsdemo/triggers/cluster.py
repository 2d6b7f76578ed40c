"""Wait until a cluster is created; delete one, step by step, until it is gone."""

import asyncio
import random
from collections.abc import AsyncIterator
from math import inf
from typing import Any

from airflow.triggers.base import TriggerEvent
from asgiref.sync import sync_to_async

from higgsdemo.clusters import BUSY, ClusterError, Phase, State, Unreachable
from higgsdemo.clusters.leftovers import others_at_work
from higgsdemo.clusters.shape import is_ours
from higgsdemo.deadline import is_over, too_late
from higgsdemo.triggers.base import ClusterRunTrigger
from higgsdemo.wording import ExplainedError

PATIENCE = 900.0  # s without an answer after which the provider, or a cluster to be deleted, is given up
LONGEST = 3600.0  # s; clouds take up to half an hour for a cluster
DELETED_IN = 12 * 3600.0  # s for which a cloud that is away is asked again: what stays costs money
LONGEST_PAUSE = 300.0  # s
APPEARS_IN = 120.0  # s until a requested cluster is visible; requests end after 60


class ClusterTrigger(ClusterRunTrigger):
    """Poll a cluster's provider while it is busy with the cluster."""

    patience = PATIENCE
    at_once = False  # the task has just looked
    _told: State | None = None

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Take one step after another; an ``error`` in the event says why another would be in vain."""
        clock = asyncio.get_running_loop().time
        start, last_answer, failures = clock(), clock(), 0
        # A thread for each: clouds answer in their own time, and a campaign may have many clusters.
        step = sync_to_async(self._step, thread_sensitive=False)
        pause = 0.0 if self.at_once else self.poll_seconds
        while True:
            await asyncio.sleep(pause)
            try:
                payload = await step(clock() - start)
                last_answer, failures = clock(), 0
            except ClusterError as error:
                final = error.final or is_over(self.deadline)
                hopeless = final or clock() - last_answer > self.patience
                payload = {"error": str(error), "final": final} if hopeless else None
                failures += 1
                self.log.warning("%s%s", error, "" if hopeless else "; asking again")
            if payload is not None:
                yield TriggerEvent(payload)
                return
            pause = self.poll_seconds
            if failures:
                pause = min(pause * 2**failures, LONGEST_PAUSE) * random.uniform(0.5, 1.0)

    def _step(self, since: float) -> dict[str, Any] | None:
        """Look at the cluster, seconds after the first step; return the payload at the end."""
        name = self.provider.cluster.name
        if is_over(self.deadline):
            return {"error": f"cluster {name}: {too_late(self.assignment.run)}", "final": True}
        state = self.provider.state()
        self._tell(state)
        if state.phase == Phase.FAILED:
            return {"error": f"cluster {name} has failed: {state.detail}"}
        if state.phase not in BUSY:
            return {"phase": state.phase.value}
        if since > LONGEST:
            late = f"is still {state.phase} after {LONGEST / 60:.0f} minutes: {state.detail}"
            return {"error": f"cluster {name} {late}"}
        return None

    def _tell(self, state: State) -> None:
        if state != self._told:
            self._told = state
            detail = f" ({state.detail})" if state.detail else ""
            self.log.info("cluster %s is %s%s", self.provider.cluster.name, state.phase, detail)


class DeletionTrigger(ClusterTrigger):
    """Delete a cluster step by step until nothing is left; leave one on which others work.

    :param deadline: when to give up a cloud that does not answer, or does not delete.
    :param run: the run whose Jobs may end with the cluster; None for all of the campaign, "" for none.
    :param noted: the cluster was requested: if it does not exist, it may be about to appear.
    :param begun: its deletion has been requested.
    """

    kept = (*ClusterTrigger.kept, "noted", "begun")
    patience = inf  # what stays costs money, so that only the deadline ends the attempts
    at_once = True

    def __init__(
        self,
        assignment: dict[str, Any],
        poll_seconds: float,
        deadline: float,
        run: str | None,
        noted: bool,
        begun: bool = False,
    ) -> None:
        super().__init__(assignment, poll_seconds, deadline)
        self.of_run, self.noted, self.begun = run, noted, begun

    def serialize(self) -> tuple[str, dict[str, Any]]:
        path, arguments = super().serialize()
        return path, arguments | {"run": self.of_run}  # which is what its polling is called, too

    def _step(self, since: float) -> dict[str, Any] | None:
        """Delete what can be deleted now; the payload says whether all is ``deleted``, or who ``uses`` it."""
        name = self.provider.cluster.name
        found = self.provider.state()
        self._tell(found)
        # Also once its deletion is asked for: one that its cloud updates takes Jobs until that has ended.
        ours = found.runs and is_ours(found.marks, self.provider.marks)
        if ours and (others := self._others(since)):
            return {"uses": others}
        if not self.provider.delete():
            if self.noted and found.phase == Phase.ABSENT and not self.begun and since < APPEARS_IN:
                return None
            return {"deleted": self.begun}
        self.begun = True
        state = self.provider.state()
        self._tell(state)
        if state.phase == Phase.ABSENT:
            return {"deleted": True}
        if state.phase == Phase.FAILED:
            raise ClusterError(f"cluster {name} has failed: {state.detail}", final=False)
        if is_over(self.deadline):
            raise Unreachable(f"cluster {name} is still {state.phase}: {state.detail}")
        return None

    def _others(self, since: float) -> list[str]:
        """Return the runs of others that work on the cluster; nobody works on one that nobody can reach."""
        try:
            return others_at_work(self.assignment, self.of_run)
        except ExplainedError as error:
            if since < PATIENCE:
                raise Unreachable(f"{error}; whether others use it is not known") from error
            self.log.warning("%s; deleted, since nobody can use it", error)
            return []

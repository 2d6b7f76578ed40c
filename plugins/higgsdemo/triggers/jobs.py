"""Waiting until a cluster's Jobs are through, telling how far they are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from higgsdemo.labels import selector
from higgsdemo.progress import Progress, job_progress, total_progress
from higgsdemo.triggers.polling import PollingTrigger

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient


class JobsTrigger(PollingTrigger):
    """Poll the status of a run's Jobs until all have ended or too many shards have failed.

    :param jobs: names of the Jobs; others of the same run, from an earlier submission, are passed over.
    :param allowed_failures: failed shards beyond which the wait ends at once.
    """

    def __init__(
        self, assignment: dict[str, Any], poll_seconds: float, jobs: list[str], allowed_failures: int
    ) -> None:
        super().__init__(assignment, poll_seconds)
        self.jobs = jobs
        self.allowed_failures = allowed_failures
        self._start: tuple[float, int] | None = None
        self._last: Progress | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger's class and arguments, which the triggerer makes it from."""
        path, arguments = super().serialize()
        return path, arguments | {"jobs": self.jobs, "allowed_failures": self.allowed_failures}

    async def poll(self, api: ApiClient) -> dict[str, Any] | None:
        """List the run's Jobs, a handful of objects, and count shards in their status."""
        from kubernetes_asyncio.client import BatchV1Api

        run = self.planned.run
        found = await BatchV1Api(api).list_namespaced_job(
            self.planned.cluster.namespace, label_selector=selector(run.campaign, run.name)
        )
        plain = api.sanitize_for_serialization(found)["items"]
        mine = [job for job in plain if job["metadata"]["name"] in self.jobs]
        progress = total_progress(job_progress(job) for job in mine)
        self._tell(progress)
        if progress.failed > self.allowed_failures:
            return {"finished": False}
        return {"finished": True} if progress.finished else None

    def _tell(self, progress: Progress) -> None:
        if progress == self._last:
            return
        self._last = progress
        self.log.info("cluster %s: %s%s", self.planned.cluster.name, progress, self._rate(progress))

    def _rate(self, progress: Progress) -> str:
        now, through = time.monotonic(), progress.done + progress.failed
        if self._start is None:
            self._start = (now, through)
        seconds, shards = now - self._start[0], through - self._start[1]
        if not shards or not seconds:
            return ""
        rate = shards / seconds
        return f"; {rate:.1f} shards/s, about {(progress.total - through) / rate:.0f} s to go"

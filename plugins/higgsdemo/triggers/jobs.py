"""Waiting until a cluster's Jobs are through, telling how far they are."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from higgsdemo.labels import DATASET, label_value, selector
from higgsdemo.progress import Progress, job_progress, progress_document, progress_key, total_progress
from higgsdemo.storage import ObjectStore, StorageError
from higgsdemo.triggers.polling import PollingTrigger

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

LEFT_EVERY = 2.0  # s at least between two writes of what was seen


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
        self._left: tuple[float, dict[str, Any]] | None = None

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
        await self._leave(mine, at_once=progress.finished)
        if progress.failed > self.allowed_failures:
            return {"finished": False}
        return {"finished": True} if progress.finished else None

    def _tell(self, progress: Progress) -> None:
        if progress == self._last:
            return
        self._last = progress
        self.log.info("cluster %s: %s%s", self.planned.cluster.name, progress, self._rate(progress))

    async def _leave(self, jobs: list[dict[str, Any]], at_once: bool) -> None:
        """Write what was seen to the run's folder, for those who watch the run and cannot ask the cluster."""
        names = {label_value(dataset.name): dataset.name for dataset in self.planned.cluster.datasets}
        labelled = ((job["metadata"]["labels"][DATASET], job) for job in jobs)
        seen = progress_document((names.get(label, label), job) for label, job in labelled)
        now = time.monotonic()
        if self._left and (seen == self._left[1] or (now - self._left[0] < LEFT_EVERY and not at_once)):
            return
        self._left = (now, seen)
        try:
            await sync_to_async(self._write, thread_sensitive=False)(json.dumps(seen).encode())
        except StorageError as error:
            self.log.warning("the progress of cluster %s is not shown: %s", self.planned.cluster.name, error)

    def _write(self, content: bytes) -> None:
        run = self.planned.run
        store = ObjectStore(run.output, run.output_connection)  # anew each time: credentials expire
        store.write(progress_key(self.planned.cluster.name), content)

    def _rate(self, progress: Progress) -> str:
        now, through = time.monotonic(), progress.done + progress.failed
        if self._start is None:
            self._start = (now, through)
        seconds, shards = now - self._start[0], through - self._start[1]
        if not shards or not seconds:
            return ""
        rate = shards / seconds
        return f"; {rate:.1f} shards/s, about {(progress.total - through) / rate:.0f} s to go"

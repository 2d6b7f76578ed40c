"""Waiting until a cluster's Jobs are through, telling how far they are."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from higgsdemo.kubernetes.labels import DATASET, STOPPED, label_value, selector
from higgsdemo.kubernetes.progress import (
    Progress,
    failed_indexes,
    job_progress,
    progress_document,
    progress_key,
    total_progress,
)
from higgsdemo.storage.object_store import ObjectStore, StorageError
from higgsdemo.triggers.image_pull import ImagePull
from higgsdemo.triggers.polling import PollingTrigger, passing_over

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

LEFT_EVERY = 2.0  # s at least between two writes of what was seen
LEFT_IN = 10.0  # s that a write may take


class JobsTrigger(PollingTrigger):
    """Poll the status of a run's Jobs until all have ended or too many shards have failed.

    :param jobs: names of the Jobs; others of the same run, from an earlier submission, are passed over.
    :param shards: all shards of the cluster by dataset, those included that were done before: what the
        campaign's tolerance is a part of.
    """

    def __init__(
        self,
        assignment: dict[str, Any],
        poll_seconds: float,
        deadline: float | None,
        jobs: list[str],
        shards: dict[str, int],
    ) -> None:
        super().__init__(assignment, poll_seconds, deadline)
        self.jobs, self.shards = jobs, shards
        self._resumed = False
        self._names = {label_value(dataset.name): dataset.name for dataset in self.planned.cluster.datasets}
        run = self.planned.run
        pods = f"{selector(run.campaign, run.name)},{DATASET}"
        self._pull = ImagePull(self.planned.cluster.namespace, pods)
        self._start: tuple[float, int] | None = None
        self._last: Progress | None = None
        self._seen: dict[str, Any] = {}
        self._left: tuple[float, dict[str, Any]] | None = None
        self._shown = True
        self._writer = ThreadPoolExecutor(1)  # a store that hangs takes up no thread that others wait for

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger's class and arguments, which the triggerer makes it from."""
        path, arguments = super().serialize()
        return path, arguments | {"jobs": self.jobs, "shards": self.shards}

    async def poll(self, api: ApiClient) -> dict[str, Any] | None:
        """Count shards in the status of the run's Jobs; stop them when too many have failed."""
        mine = await self._mine(api)
        if not self._resumed:
            await self._resume(api, mine)
        progress = total_progress(job_progress(job) for job in mine)
        self._tell(progress)
        self._seen = progress_document((self._dataset(job), job) for job in mine)
        if excess := self._excess(mine):
            self.log.error("%s: the Jobs are stopped", excess)
            await self._stop_those(api, mine)
            return {"finished": False}
        if progress.finished:
            return {"finished": True}
        return await self._unable_to_start(api, progress)

    async def _unable_to_start(self, api: ApiClient, progress: Progress) -> dict[str, Any] | None:
        """Give up when no pod can run for want of its image; nothing else is known to keep pods for ever."""
        if progress.running or not progress.pending:
            self._pull.moves()
            return None
        refusal = await self._pull.refusal(api)
        if refusal is None:
            return None
        await self.stop(api)
        return {"error": f"cluster {self.planned.cluster.name}: {refusal}", "final": True}

    async def stop(self, api: ApiClient) -> None:
        """Suspend the Jobs: their pods end, no further ones start, and their status stays to be read."""
        await self._stop_those(api, await self._mine(api))

    async def _stop_those(self, api: ApiClient, jobs: list[dict[str, Any]]) -> None:
        for job in jobs:
            if not job_progress(job).finished:
                await self._suspend(api, job, suspend=True)

    async def _resume(self, api: ApiClient, jobs: list[dict[str, Any]]) -> None:
        """Go on with Jobs that an earlier wait has stopped; others may be suspended for reasons of theirs."""
        for job in jobs:
            if STOPPED in job["metadata"]["annotations"] and job.get("spec", {}).get("suspend"):
                self.log.info("Job %s was stopped: it goes on", job["metadata"]["name"])
                await self._suspend(api, job, suspend=False)
        self._resumed = True

    async def _suspend(self, api: ApiClient, job: dict[str, Any], *, suspend: bool) -> None:
        from kubernetes_asyncio.client import BatchV1Api

        patch = {
            "metadata": {"annotations": {STOPPED: "true" if suspend else None}},
            "spec": {"suspend": suspend},
        }
        with passing_over(404, 422):  # gone, or ended meanwhile
            await BatchV1Api(api).patch_namespaced_job(
                job["metadata"]["name"], self.planned.cluster.namespace, patch
            )

    async def _mine(self, api: ApiClient) -> list[dict[str, Any]]:
        """List the run's Jobs: a handful of objects."""
        from kubernetes_asyncio.client import BatchV1Api

        run = self.planned.run
        found = await BatchV1Api(api).list_namespaced_job(
            self.planned.cluster.namespace, label_selector=selector(run.campaign, run.name)
        )
        plain = api.sanitize_for_serialization(found)["items"]
        return [job for job in plain if job["metadata"]["name"] in self.jobs]

    def _excess(self, jobs: list[dict[str, Any]]) -> str | None:
        failed = Counter[str]()
        for job in jobs:
            failed[self._dataset(job)] += failed_indexes(job)
        return self.planned.run.excess(failed, self.shards)

    def _dataset(self, job: dict[str, Any]) -> str:
        label: str = job["metadata"]["labels"][DATASET]
        return self._names.get(label, label)

    def _tell(self, progress: Progress) -> None:
        if progress == self._last:
            return
        self._last = progress
        self.log.info("cluster %s: %s%s", self.planned.cluster.name, progress, self._rate(progress))

    async def after_poll(self, *, last: bool) -> None:
        """Write what was seen to the run's folder, for those who watch the run and cannot ask the cluster."""
        now, seen = time.monotonic(), self._seen
        if self._left and (seen == self._left[1] or (now - self._left[0] < LEFT_EVERY and not last)):
            return
        write = sync_to_async(self._write, thread_sensitive=False, executor=self._writer)
        try:
            async with asyncio.timeout(LEFT_IN):
                await write(json.dumps(seen).encode())
        except (StorageError, TimeoutError) as error:
            if self._shown:  # told once, tried again after each poll
                why = str(error) or f"no answer from {self.planned.run.output} in {LEFT_IN:.0f} s"
                self.log.warning(
                    "the progress of cluster %s is not shown: %s", self.planned.cluster.name, why
                )
            self._shown = False
        else:
            self._left, self._shown = (now, seen), True

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

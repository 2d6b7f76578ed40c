"""Wait until a cluster's Jobs have ended, and report their progress."""

import time
from collections import Counter
from typing import Any

from kubernetes_asyncio.client import ApiClient, BatchV1Api

from higgsdemo.kubernetes.names import DATASET, IDLE, LOST, STOPPED, label_value, selector
from higgsdemo.kubernetes.progress import (
    ShardProgress,
    failed_indexes,
    job_pods,
    job_progress,
    progress_document,
    total_progress,
)
from higgsdemo.kubernetes.second_attempts import counted_once, raced_job
from higgsdemo.tolerance import tell_excess
from higgsdemo.triggers.lost_nodes import LostNodes
from higgsdemo.triggers.polling import PollingTrigger, passing_over, read_items
from higgsdemo.triggers.progress_writer import ProgressWriter
from higgsdemo.triggers.race import Race
from higgsdemo.triggers.standstill import Hope, Obstacle, Standstill


class JobsTrigger(PollingTrigger):
    """Poll the status of a run's Jobs until all have ended or too many shards have failed.

    :param jobs: names of the Jobs; others of the same run, from an earlier submission, are ignored.
    :param shards: all shards of the cluster by dataset, including those done before: the campaign's tolerance
        is a part of these.
    """

    kept = (*PollingTrigger.kept, "jobs", "shards")

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
        self._names = {
            label_value(dataset.name): dataset.name for dataset in self.assignment.cluster.datasets
        }
        run = self.assignment.run
        pods = f"{selector(run.campaign, run.name)},{DATASET}"
        namespace = self.assignment.cluster.namespace
        self._standstill = Standstill(namespace, pods, run.max_idle_hours)
        self._lost = LostNodes(namespace, pods, ours=bool(self.provider.marks))
        self._writer = ProgressWriter(self.assignment, self.log)
        self._race = Race(self.assignment, self.log)
        self._ended: int | None = None
        self._noted = False
        self._start: tuple[float, int] | None = None
        self._last: ShardProgress | None = None
        self._seen: dict[str, Any] = {}

    async def poll(self, api: ApiClient) -> dict[str, Any] | None:
        """Count shards in the status of the run's Jobs; stop them when too many have failed."""
        listed = await self._listed(api)
        mine = list(counted_once(listed))
        progress = total_progress(job_progress(job) for job in mine)
        if not self._resumed and not progress.finished:
            await self._resume(api, listed)
        self._tell(progress)
        payload = await self._outcome(api, listed, mine, progress)
        waiting = None if progress.finished else self._lost.told or self._standstill.told
        self.warn(waiting)
        self._seen = progress_document(((self._dataset(job), job) for job in mine), waiting)
        return payload

    def after_poll(self, *, last: bool) -> None:
        self._writer.give(self._seen, last=last)

    async def after_event(self) -> None:
        await self._writer.end()

    async def _outcome(
        self,
        api: ApiClient,
        listed: list[dict[str, Any]],
        jobs: list[dict[str, Any]],
        progress: ShardProgress,
    ) -> dict[str, Any] | None:
        if excess := self._excess(jobs):
            self.log.error("%s: the Jobs are stopped", excess)
            await self._stop_those(api, listed)
            return {"finished": False}
        if progress.finished:
            await self._stop_those(api, listed, LOST)
            return {"finished": True}
        await self._race.begin(api, listed, jobs)
        return await self._stuck(api, listed, jobs, progress)

    async def _stuck(
        self,
        api: ApiClient,
        listed: list[dict[str, Any]],
        jobs: list[dict[str, Any]],
        progress: ShardProgress,
    ) -> dict[str, Any] | None:
        """Find what keeps pods from running, or from ending; give up when none has run for too long."""
        left = [job for job in jobs if not job_progress(job).finished]
        await self._lost.look(api, sum(job_pods(job)["terminating"] for job in left))
        ended = sum(job_pods(job)[phase] for job in jobs for phase in ("succeeded", "failed"))
        if self._ended is None and (seconds := _idle_for(left, ended)) is not None:
            self._ended, self._noted = ended, True
            self._standstill.begin(seconds)
        if progress.running or ended != self._ended or not progress.pending:
            self._standstill.end()
            await self._note(api, left, ended)
            return None
        known = Obstacle(self._lost.told) if self._lost.told else _held(left)
        found = await self._standstill.look(api, [job["metadata"]["uid"] for job in left], known)
        if found is None:
            await self._note(api, left, ended)
            return None
        await self._stop_those(api, listed)
        lasted = f"no pod has run for {self._standstill.seconds / 60:.0f} minutes: "
        why = found.why if found.hope <= Hope.LITTLE else lasted + found.why
        return {"error": f"cluster {self.assignment.cluster.name}: {why}", "final": True}

    async def _note(self, api: ApiClient, left: list[dict[str, Any]], ended: int) -> None:
        """Keep at a Job since when no pod runs: another triggerer may go on with the wait."""
        self._ended, idle = ended, self._standstill.told is not None
        if left and idle != self._noted:
            self._noted = idle
            since = f"{time.time() - self._standstill.seconds:.0f}, {ended} ended" if idle else None
            await self._patch(api, left[0], {"metadata": {"annotations": {IDLE: since}}})

    async def stop(self, api: ApiClient) -> None:
        """Suspend the Jobs: their pods end, no others start, and their status remains."""
        await self._stop_those(api, await self._listed(api))

    async def _stop_those(self, api: ApiClient, jobs: list[dict[str, Any]], mark: str = "true") -> None:
        for job in jobs:
            if not job_progress(job).finished:
                await self._suspend(api, job, mark)

    async def _resume(self, api: ApiClient, jobs: list[dict[str, Any]]) -> None:
        """Resume Jobs that an earlier wait has stopped; others may be suspended for other reasons."""
        for job in jobs:
            if STOPPED in job["metadata"]["annotations"] and job.get("spec", {}).get("suspend"):
                self.log.info("Job %s was stopped: it goes on", job["metadata"]["name"])
                await self._suspend(api, job, None)
        self._resumed = True

    async def _suspend(self, api: ApiClient, job: dict[str, Any], mark: str | None) -> None:
        """Suspend a Job and mark it as stopped by us; None lets it go on."""
        marks, stopped = {STOPPED: mark, IDLE: None}, mark is not None
        await self._patch(api, job, {"metadata": {"annotations": marks}, "spec": {"suspend": stopped}})

    async def _patch(self, api: ApiClient, job: dict[str, Any], patch: dict[str, Any]) -> None:
        with passing_over(404, 422):  # gone, or ended meanwhile
            await BatchV1Api(api).patch_namespaced_job(
                job["metadata"]["name"], self.assignment.cluster.namespace, patch
            )

    async def _listed(self, api: ApiClient) -> list[dict[str, Any]]:
        """List the Jobs that are waited for, and second attempts at their shards: a handful of objects."""
        run = self.assignment.run
        listing = BatchV1Api(api).list_namespaced_job(
            self.assignment.cluster.namespace,
            label_selector=selector(run.campaign, run.name),
            _preload_content=False,
        )
        found = await read_items(listing)
        mine = [job for job in found if job["metadata"]["name"] in self.jobs]
        ours = {job["metadata"]["uid"] for job in mine}
        return mine + [job for job in found if raced_job(job) in ours]

    def _excess(self, jobs: list[dict[str, Any]]) -> str | None:
        failed = Counter[str]()
        for job in jobs:
            failed[self._dataset(job)] += failed_indexes(job)
        return tell_excess(self.assignment.run, failed, self.shards)

    def _dataset(self, job: dict[str, Any]) -> str:
        label: str = job["metadata"]["labels"][DATASET]
        return self._names.get(label, label)

    def _tell(self, progress: ShardProgress) -> None:
        if progress == self._last:
            return
        self._last = progress
        self.log.info("cluster %s: %s%s", self.assignment.cluster.name, progress, self._rate(progress))

    def _rate(self, progress: ShardProgress) -> str:
        now, through = time.monotonic(), progress.done + progress.failed
        if self._start is None:
            self._start = (now, through)
        seconds, shards = now - self._start[0], through - self._start[1]
        if not shards or not seconds:
            return ""
        rate = shards / seconds
        return f"; {rate:.1f} shards/s, about {(progress.total - through) / rate:.0f} s to go"


def _idle_for(jobs: list[dict[str, Any]], ended: int) -> float | None:
    """Return the seconds that an earlier triggerer has seen no pod run for; None if one has ended since."""
    for job in jobs:
        since, _, rest = job["metadata"]["annotations"].get(IDLE, "").partition(",")
        if since.isdecimal() and rest == f" {ended} ended":
            return max(time.time() - float(since), 0.0)
    return None


def _held(jobs: list[dict[str, Any]]) -> Obstacle | None:
    """Say that something else suspends all Jobs; not when some of them run, since it lets Jobs run."""
    for job in jobs:
        suspended = (job.get("spec") or {}).get("suspend")
        if not suspended or STOPPED in job["metadata"]["annotations"]:
            return None
    name = jobs[0]["metadata"]["name"]
    return Obstacle(f"Job {name} is suspended, though not by us: a queue such as Kueue holds it", Hope.MUCH)

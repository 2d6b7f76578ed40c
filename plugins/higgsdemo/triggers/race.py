"""Let second attempts race the pods that hold up the end of a cluster's share.

One slow node, or a connection that hangs, would hold up a whole campaign. Once few shards are left, and all
of them run, there is room for more pods. Those that have run for half as long again as pods of their Job
usually take are tried a second time. `make bench-stragglers` tells what that saves and costs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING, Any

from kubernetes_asyncio.client import ApiClient, BatchV1Api, CoreV1Api
from kubernetes_asyncio.client.exceptions import ApiException

from higgsdemo.kubernetes.failures import INDEX, JOB
from higgsdemo.kubernetes.names import DATASET, selector
from higgsdemo.kubernetes.progress import job_pods, job_progress, total_progress
from higgsdemo.kubernetes.requests import FINAL, reason
from higgsdemo.kubernetes.second_attempts import open_indexes, raced_indexes, raced_job, second_attempt
from higgsdemo.run import ClusterRun
from higgsdemo.tolerance import allowed
from higgsdemo.triggers.polling import passing_over, read_items
from higgsdemo.triggers.standstill import LOOKED_AT

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

SLOW = 1.5  # times the median, as spark.speculation.multiplier
SHORTEST = 1.0  # s: Kubernetes tells times in whole seconds
Job = dict[str, Any]


class Race:
    """The second attempts of one wait, which never end it: it goes on without them where they are refused."""

    def __init__(self, assignment: ClusterRun, log: Logger) -> None:
        self._run, self._cluster, self._log = assignment.run, assignment.cluster, log
        self._usual: dict[str, float] = {}
        self._over = not self._run.race_stragglers

    async def begin(self, api: ApiClient, listed: Sequence[Job], jobs: Sequence[Job]) -> None:
        """Try again what is left, where that is little and takes long.

        :param listed: all Jobs of the wait, second attempts too.
        :param jobs: the same as `counted_once` gives them.
        """
        if self._over or not self._last_ones(jobs):
            return
        tried = {(raced_job(job), index) for job in listed if raced_job(job) for index in raced_indexes(job)}
        try:
            for job in jobs:
                name, uid = job["metadata"]["name"], job["metadata"]["uid"]
                untried = {index for index in open_indexes(job) if (uid, index) not in tried}
                if untried and (slow := await self._slow(api, name, untried)):
                    await self._submit(api, job, slow)
        except ApiException as error:
            if error.status not in FINAL:
                raise
            self._over = True
            self._log.warning(
                "cluster %s: no second attempt at slow shards: %s", self._cluster.name, reason(error)
            )

    def _last_ones(self, jobs: Sequence[Job]) -> bool:
        """Whether all that is left runs, and is one pod or as few shards as the campaign says."""
        if any(job_pods(job)["pending"] for job in jobs):
            return False
        together = total_progress(map(job_progress, jobs))
        pods = sum(len(open_indexes(job)) for job in jobs if not job_progress(job).finished)
        left = together.total - together.done - together.failed
        return pods == 1 or 0 < left <= allowed(self._run.race_stragglers, together.total)

    async def _slow(self, api: ApiClient, job: str, untried: set[int]) -> list[int]:
        """Return which of these indexes of a Job have run for longer than is usual."""
        usual = self._usual.get(job) or await self._measure(api, job)
        if usual is None:
            return []
        running = await self._pods(api, f"{JOB}={job}", "Running")
        begun = time.time() - SLOW * usual
        return sorted(
            index
            for pod in running
            if (index := int(pod["metadata"]["labels"][INDEX])) in untried
            and "deletionTimestamp" not in pod["metadata"]
            and _time(pod["status"]["startTime"]) < begun
        )

    async def _measure(self, api: ApiClient, job: str) -> float | None:
        """Return how long pods of a Job take, or if none has succeeded, others of the run; in seconds."""
        run = selector(self._run.campaign, self._run.name)
        for of in (f"{JOB}={job}", f"{run},{DATASET}"):
            took = [_seconds(pod) for pod in await self._pods(api, of, "Succeeded")]
            if took:
                self._usual[job] = max(median(took), SHORTEST)
                return self._usual[job]
        return None

    async def _pods(self, api: ApiClient, labels: str, phase: str) -> list[dict[str, Any]]:
        listing = CoreV1Api(api).list_namespaced_pod(
            self._cluster.namespace,
            label_selector=labels,
            field_selector=f"status.phase={phase}",
            limit=LOOKED_AT,
            _preload_content=False,
        )
        return await read_items(listing)

    async def _submit(self, api: ApiClient, job: Job, slow: list[int]) -> None:
        """Create the ConfigMap, then the Job: one that is there has its ConfigMap."""
        core, namespace = CoreV1Api(api), self._cluster.namespace
        volumes = {volume["name"]: volume for volume in job["spec"]["template"]["spec"]["volumes"]}
        given = await core.read_namespaced_config_map(volumes["manifest"]["configMap"]["name"], namespace)
        made: Any = second_attempt(self._run, job, given.data, slow)  # the client takes dictionaries, too
        config_map, again = made
        with passing_over(409):
            await core.create_namespaced_config_map(namespace, config_map)
        with passing_over(409):
            await BatchV1Api(api).create_namespaced_job(namespace, again)
        name, usual = job["metadata"]["name"], self._usual[job["metadata"]["name"]]
        self._log.info(
            "cluster %s: pods of Job %s have run for more than %.0f s, %g times as long as usual: Job %s "
            "tries %d of them a second time",
            *(self._cluster.name, name, SLOW * usual, SLOW, again["metadata"]["name"], len(slow)),
        )


def _seconds(pod: dict[str, Any]) -> float:
    """Return how long a pod that has succeeded has taken."""
    states = [one["state"] for one in pod["status"]["containerStatuses"]]
    return max(_time(one["terminated"]["finishedAt"]) for one in states) - _time(pod["status"]["startTime"])


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()

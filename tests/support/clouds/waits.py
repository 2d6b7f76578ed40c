"""A wait for a Job that runs some seconds on a cloud's cluster, as a campaign waits for its own."""

import threading
from collections.abc import Callable
from typing import Any

from kubernetes.client import BatchV1Api
from kubernetes_asyncio.client import ApiClient
from kubernetes_asyncio.client import BatchV1Api as AsyncBatchV1Api

from clouds.tasks import first_event
from higgsdemo.clusters import provider_of
from higgsdemo.run import ClusterRun
from higgsdemo.triggers.polling import PollingTrigger
from localkube_server import indexed_job

NAME = "long"


class EndOfJob(PollingTrigger):
    """Waits until the Job has ended."""

    async def poll(self, api: ApiClient) -> dict[str, Any] | None:
        job = await AsyncBatchV1Api(api).read_namespaced_job_status(NAME, "default")
        return {"succeeded": job.status.succeeded} if job.status.completion_time else None

    async def stop(self, api: ApiClient) -> None:
        await AsyncBatchV1Api(api).delete_namespaced_job(NAME, "default")


def wait_for_a_job(planned: ClusterRun, seconds: float, disturb: Callable[[], None] = lambda: None) -> Any:
    """Run a Job for some seconds, and give the event of a trigger that asks for it ten times a second.

    `disturb` is done in the middle of the wait.
    """
    job = indexed_job(NAME, f"sleep {seconds}", 1)
    BatchV1Api(provider_of(planned).connect()).create_namespaced_job("default", job)
    disturbance = threading.Timer(seconds / 2, disturb)
    disturbance.start()
    event = first_event(EndOfJob(planned.model_dump(mode="json"), 0.1, None))
    disturbance.join()
    return event

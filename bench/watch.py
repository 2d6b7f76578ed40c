"""Watch the full campaign: one poll of this project against listing pods and Jobs.

Both look once at 26,920 files on one cluster, all of whose pods have run. This project's way is a poll of the
trigger of `wait_for_jobs`, with all it asks of the API and of the bucket; the other is that of the demo of
2019: list all pods and all Jobs, one a file, and count them. Connecting is part of it, importing is not.
"""

import argparse
import asyncio
import time
from collections.abc import Callable
from typing import Any

from bench import full_campaign, original
from bench.measure import BenchError, Cost, load, measure
from bench.relay import Traffic
from bench.report import COSTS, Report, Say, costs, number, table
from bench.submit import create_from_yaml, submit_jobs
from bench.surroundings import Localkube, localkube, reached, s3
from higgsdemo.run import ClusterRun

SHAPE = {"nodes": 10, "cpu": "100000", "memory": "1000Ti", "pods": 100_000, "simulate": {"seconds": 0}}
PATIENCE = 1800.0  # s for all pods to run: an API server of one core makes some hundred a second


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument("--files", type=int, default=full_campaign.FILES, help="files that are run")


def run(options: argparse.Namespace, say: Say) -> Report:
    """Run the files in both ways, and look at each once."""
    (assignment,) = full_campaign.planned(clusters=1)
    (shards,) = full_campaign.shards([assignment], options.files)
    say(f"Running {options.files:,} shards in Indexed Jobs ...")
    with s3() as store, localkube(options.folder / "ours") as server:
        kubeconfig = server.cluster(assignment.cluster.name, **SHAPE)
        full_campaign.connect(assignment, kubeconfig)
        full_campaign.leave_shards(assignment, shards)
        (jobs,) = measure(submit_jobs, [(assignment, False)]).results
        _until(_all_jobs_done(kubeconfig, len(jobs)))
        store.take()
        ours, seen = _measured(server, _poll, (assignment, list(jobs)))
        kept = store.take()
        seen = Traffic(seen.requests + kept.requests, seen.sent + kept.sent, seen.received + kept.received)
    say(f"Running {options.files:,} Jobs ...")
    with localkube(options.folder / "theirs") as server:
        kubeconfig = server.cluster(assignment.cluster.name, **SHAPE)
        indexes = options.folder / "indexes"
        original.write_indexes(indexes, ((shard.dataset, shard.url) for shard in shards))
        measure(create_from_yaml, [(kubeconfig, indexes, False)])
        _until(_all_pods_done(kubeconfig, options.files))
        theirs, listed = _measured(server, _list, (kubeconfig,))
    found = table("One look", "files", *COSTS)
    found.add_row("this project", f"{options.files:,}", *costs(ours, seen))
    found.add_row("listing pods and Jobs", f"{options.files:,}", *costs(theirs, listed))
    share = 100 * (seen.sent + seen.received) / (listed.sent + listed.received)
    time_share = 100 * ours.seconds / theirs.seconds
    finding = f"A poll takes {number(share)}% of the bytes and {number(time_share)}% of the time."
    return Report(__doc__.partition("\n")[2], found, (finding,))


def _measured(server: Localkube, prepare: Any, arguments: tuple[Any, ...]) -> tuple[Cost, Traffic]:
    server.take()
    cost = measure(prepare, [arguments]).cost
    return cost, server.take()


def _poll(assignment: ClusterRun, jobs: list[str]) -> Callable[[], dict[str, Any] | None]:
    from higgsdemo.triggers.jobs import JobsTrigger

    load("kubernetes_asyncio.client", "airflow.providers.amazon.aws.hooks.base_aws")
    load("higgsdemo.clusters.existing")
    shards = {dataset.name: dataset.files or 0 for dataset in assignment.cluster.datasets}
    trigger = JobsTrigger(assignment.model_dump(mode="json"), 10.0, None, jobs, shards)

    async def once() -> dict[str, Any] | None:
        async with trigger.provider.connect_async() as api:
            payload = await trigger.poll(api)
            trigger.after_poll(last=True)
            await trigger.after_event()
            return payload

    return lambda: asyncio.run(once())


def _list(kubeconfig: dict[str, Any]) -> Callable[[], dict[str, int]]:
    from kubernetes.config import new_client_from_config_dict

    return lambda: dict(original.watch(new_client_from_config_dict(kubeconfig)))


def _all_jobs_done(kubeconfig: dict[str, Any], jobs: int) -> Callable[[], bool]:
    def done() -> bool:
        with reached(kubeconfig) as api:
            items = api.get("apis/batch/v1/jobs").raise_for_status().json()["items"]
        return len(items) == jobs and all("completionTime" in job["status"] for job in items)

    return done


def _all_pods_done(kubeconfig: dict[str, Any], files: int) -> Callable[[], bool]:
    from kubernetes.client import CoreV1Api
    from kubernetes.config import new_client_from_config_dict

    pods = CoreV1Api(new_client_from_config_dict(kubeconfig))

    def done() -> bool:
        page = pods.list_namespaced_pod(original.NAMESPACE, limit=1)
        if len(page.items) + (page.metadata.remaining_item_count or 0) < files:
            return False
        unlike = "status.phase!=Succeeded"
        return not pods.list_namespaced_pod(original.NAMESPACE, field_selector=unlike, limit=1).items

    return done


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise BenchError(f"the pods have not run within {PATIENCE:g} s")
        time.sleep(1)

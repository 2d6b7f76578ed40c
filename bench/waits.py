"""Wait for a thousand clusters in one triggerer: what the waits cost, and how long one holds up the others.

The triggers of `wait_for_jobs` of up to fifty campaigns, each on twenty clusters that have a Job of one pod
at work, poll every ten seconds in one event loop, as Airflow's triggerer runs them. A watchdog in the loop
asks to be called every ten milliseconds: how late it is called is how long something has blocked all waits.
All begin at once, as after a restart of the triggerer. localkube answers in a millisecond or two.
"""

import argparse
import asyncio
import time
from collections.abc import Callable

import httpx

from bench import full_campaign
from bench.measure import BenchError, load, measure
from bench.report import Report, Say, megabytes, number, table
from bench.surroundings import localkube, reached, s3
from higgsdemo.kubernetes.names import labels
from higgsdemo.kubernetes.progress import SHARDS, SHARDS_PER_POD
from higgsdemo.run import ClusterRun

CLUSTERS = 20  # of a campaign
POLL_SECONDS = 10.0
SECONDS = 40.0
BEAT = 0.01  # s
PATIENCE = 120.0  # s
SHAPE = {"nodes": 1, "cpu": "1000", "memory": "1Ti", "pods": 1000, "simulate": {"seconds": 1e6}}
JOBS = "apis/batch/v1/namespaces/higgs/jobs"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument("--campaigns", type=int, nargs="+", default=[1, 5, 50], help="that run at once")
    parser.add_argument("--clusters", type=int, default=CLUSTERS, help="of each campaign")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for which they wait")
    parser.add_argument("--pause", type=float, default=POLL_SECONDS, help="seconds between two polls")


def run(options: argparse.Namespace, say: Say) -> Report:
    """Let each number of campaigns wait."""
    columns = ("Waits", "polls/s", "CPU ms a poll", "cores", "late at most ms", "at start", "memory MB")
    found = table(*columns)
    for campaigns in options.campaigns:
        say(f"{campaigns} campaigns wait for {options.clusters} clusters each ...")
        with s3(), localkube(options.folder / f"{campaigns}") as server:
            waits = [
                wait.model_copy(update={"run": wait.run.model_copy(update={"name": f"run-{number}"})})
                for number in range(campaigns)
                for wait in full_campaign.planned(options.clusters)
            ]
            for wait in waits[: options.clusters]:
                kubeconfig = server.uncounted(wait.cluster.name, **SHAPE)
                full_campaign.connect(wait, kubeconfig)
                with reached(kubeconfig) as api:
                    _submit(api, [one for one in waits if one.cluster.name == wait.cluster.name])
            measured = measure(_wait, [(waits, options.seconds, options.pause)])
        ((polls, steady, cpu, late, at_start),) = measured.results
        row = (number(polls / steady), number(1000 * cpu / polls), f"{cpu / steady:.2f}")
        held_up = (number(1000 * late), number(1000 * at_start))
        found.add_row(f"{len(waits):,}", *row, *held_up, megabytes(measured.cost.memory))
    return Report(
        __doc__.partition("\n")[2],
        found,
        (
            f"{len(waits):,} waits take {cpu / steady:.2f} cores, and one holds up the others for "
            f"{1000 * late:.0f} ms at most once all are connected.",
        ),
    )


def _submit(api: httpx.Client, waits: list[ClusterRun]) -> None:
    namespace = {"metadata": {"name": "higgs"}}
    api.post("api/v1/namespaces", json=namespace).raise_for_status()
    for wait in waits:
        marks = {SHARDS: "1", SHARDS_PER_POD: "1"}
        container = {"name": "main", "image": "none:1"}
        named = {
            "name": wait.run.name,
            "labels": labels(wait.run, wait.cluster.datasets[0].name),
            "annotations": marks,
        }
        pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
        spec = {"completionMode": "Indexed", "completions": 1, "parallelism": 1, "template": pod}
        api.post(JOBS, json={"metadata": named, "spec": spec}).raise_for_status()


def _wait(
    waits: list[ClusterRun], seconds: float, pause: float
) -> Callable[[], tuple[int, float, float, float, float]]:
    from higgsdemo.triggers.jobs import JobsTrigger

    load("kubernetes_asyncio.client", "airflow.providers.amazon.aws.hooks.base_aws", "greenback")
    load("higgsdemo.clusters.existing")
    polls = 0

    class Counted(JobsTrigger):
        def after_poll(self, *, last: bool) -> None:
            nonlocal polls
            polls += 1
            super().after_poll(last=last)

    triggers = [
        Counted(
            wait.model_dump(mode="json"),
            pause,
            None,
            [wait.run.name],
            {wait.cluster.datasets[0].name: 1},
        )
        for wait in waits
    ]

    async def all_of_them() -> tuple[int, float, float, float, float]:
        loop = asyncio.get_running_loop()
        beat = asyncio.ensure_future(_watch(late := [0.0]))
        running = [asyncio.ensure_future(anext(trigger.run())) for trigger in triggers]
        while polls < len(triggers):
            await asyncio.sleep(0.1)
            for task in running:
                if task.done():
                    raise BenchError(f"a wait has ended: {task.result()}")
        at_start, late[0], before = late[0], 0.0, polls
        cpu, began = time.process_time(), loop.time()
        while loop.time() - began < seconds or polls - before < len(triggers):
            if loop.time() - began > seconds + PATIENCE:
                raise BenchError(f"{len(triggers)} waits are not through their polls in {PATIENCE:.0f} s")
            await asyncio.sleep(0.1)
        cpu, steady = time.process_time() - cpu, loop.time() - began
        for ended in (beat, *running):
            ended.cancel()
        await asyncio.gather(beat, *running, return_exceptions=True)
        return polls - before, steady, cpu, late[0], at_start

    return lambda: asyncio.run(all_of_them())


async def _watch(late: list[float]) -> None:
    """Keep the longest time by which the loop has been late."""
    clock = asyncio.get_running_loop().time
    while True:
        before = clock()
        await asyncio.sleep(BEAT)
        late[0] = max(late[0], clock() - before - BEAT)

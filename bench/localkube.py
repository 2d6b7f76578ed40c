"""Fill localkube with pods: few of them against as many as the full campaign has.

For each size there is a server with one cluster of simulated nodes, which Indexed Jobs fill with running
pods. Then one client creates pods in each cluster in turn, a few at a time, so that whatever else the machine
does slows all sizes alike; and it lists 5,000 of them. CPU time, that of the first pods until they run, and
memory are of the server process.
"""

import argparse
import statistics
import time
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import httpx

from bench.measure import BenchError
from bench.report import Report, Say, megabytes, number, table
from bench.surroundings import Localkube, localkube, reached

SIZES = (500, 5_000, 27_000)
PODS_A_NODE = 110
PODS_A_JOB = 1_000
TURNS, A_TURN = 20, 25  # 500 pods at each size, in short turns: the machine's other work is spread evenly
PAGE = 5_000
LISTS = 5
ENDURE = 7 * 24 * 3600  # s that a simulated pod runs: longer than the bench
PATIENCE = 600.0  # s
JOBS, PODS = "apis/batch/v1/namespaces/default/jobs", "api/v1/namespaces/default/pods"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument(
        "--pods",
        type=int,
        nargs="+",
        default=SIZES,
        metavar="N",
        help=f"the sizes (default {' '.join(map(str, SIZES))})",
    )


def run(options: argparse.Namespace, say: Say) -> Report:
    """Fill a server for each size, and measure them side by side."""
    found = table("Pods", "CPU, s", "created, pods/s", f"list of {PAGE:,} at most, s", "memory MB")
    sizes: list[int] = options.pods
    with ExitStack() as running:
        servers = [running.enter_context(localkube(options.folder / f"{size}")) for size in sizes]
        apis = [
            running.enter_context(_cluster(server, size)) for server, size in zip(servers, sizes, strict=True)
        ]
        before = [server.cpu() for server in servers]
        say(f"Filling {len(sizes)} clusters with {', '.join(f'{size:,}' for size in sizes)} pods ...")
        for api, size in zip(apis, sizes, strict=True):
            _fill(api, size)
        for api, size in zip(apis, sizes, strict=True):
            _await(api, size)
        cpu = [server.cpu() - earlier for server, earlier in zip(servers, before, strict=True)]
        say("Creating and listing ...")
        seconds = [0.0 for _ in sizes]
        for turn in range(TURNS):
            for n, api in enumerate(apis):
                seconds[n] += _create(api, turn)
        for size, api, server, spent, took in zip(sizes, apis, servers, cpu, seconds, strict=True):
            listed, memory = _list(api), server.memory()
            speed = number(TURNS * A_TURN / took)
            found.add_row(f"{size:,}", number(spent), speed, number(listed), megabytes(memory))
    findings = (
        f"With {sizes[-1]:,} pods a list of {PAGE:,} takes {number(listed)} s, "
        f"and the server holds {megabytes(memory)} MB.",
        *(
            f"One of {size:,} pods takes {number(spent / size * sizes[0] / cpu[0])} × the CPU time of one of "
            f"{sizes[0]:,}."
            for size, spent in zip(sizes[1:], cpu[1:], strict=True)
        ),
        *(
            f"With {size:,} pods one more takes {number(took / seconds[0])} × the time as with {sizes[0]:,}."
            for size, took in zip(sizes[1:], seconds[1:], strict=True)
        ),
    )
    return Report(__doc__.partition("\n")[2], found, findings, packages=("aiohttp", "msgspec"))


def _cluster(server: Localkube, size: int) -> AbstractContextManager[httpx.Client]:
    """Make a cluster with room for `size` pods and those that are created by hand."""
    nodes = (size + TURNS * A_TURN) // PODS_A_NODE + 1
    shape = {"nodes": nodes, "cpu": "64", "memory": "256Gi", "pods": PODS_A_NODE}
    return reached(server.uncounted("full", **shape, simulate={"seconds": ENDURE}))


def _fill(api: httpx.Client, size: int) -> None:
    """Ask for `size` pods, by Jobs."""
    for first in range(0, size, PODS_A_JOB):
        completions = min(PODS_A_JOB, size - first)
        spec = {
            "completionMode": "Indexed",
            "completions": completions,
            "parallelism": completions,
            "template": {"spec": _pod_spec()},
        }
        api.post(JOBS, json={"metadata": {"name": f"fill-{first}"}, "spec": spec}).raise_for_status()


def _await(api: httpx.Client, size: int) -> None:
    """Wait until all pods of the Jobs run."""
    deadline = time.monotonic() + PATIENCE
    while (running := _running(api)) < size:
        if time.monotonic() > deadline:
            raise BenchError(f"after {PATIENCE:.0f} s {running:,} of {size:,} pods run")
        time.sleep(0.5)


def _running(api: httpx.Client) -> int:
    """Count the running pods of the Jobs."""
    jobs = api.get(JOBS).raise_for_status().json()["items"]
    return sum(int(job["status"].get("ready", 0)) for job in jobs)


def _create(api: httpx.Client, turn: int) -> float:
    """Create a few pods, one request after another, and return the seconds taken."""
    began = time.perf_counter()
    for n in range(A_TURN):
        body = {"metadata": {"name": f"by-hand-{turn}-{n}"}, "spec": _pod_spec()}
        api.post(PODS, json=body).raise_for_status()
    return time.perf_counter() - began


def _list(api: httpx.Client) -> float:
    """Return the median seconds that a list of `PAGE` pods takes."""

    def once() -> float:
        began = time.perf_counter()
        api.get(PODS, params={"limit": PAGE}).raise_for_status()
        return time.perf_counter() - began

    return statistics.median(once() for _ in range(LISTS))


def _pod_spec() -> dict[str, Any]:
    amounts = {"cpu": "100m", "memory": "64Mi"}
    container = {"name": "main", "image": "none:1", "resources": {"requests": amounts, "limits": amounts}}
    return {"restartPolicy": "Never", "containers": [container]}

"""Fill localkube with pods: few of them against as many as the full campaign has.

For each size there is a server with one cluster of simulated nodes, which Indexed Jobs fill with running
pods. Then one client creates pods in each cluster in turn, a few at a time, so that whatever else the machine
does slows all sizes alike; and it lists 5,000 of them. At last as many pods live and end on another cluster,
which has room for a tenth of them at once. CPU time, that of the first pods until they run and of the last
ones until all have ended, and memory are of the server process.
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
LIVE, ROOM = 1.0, 10  # s that those live which end; of so many, one has room
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
    columns = ("to run, CPU s", "created, pods/s", f"list of {PAGE:,} at most, s", "memory MB")
    found = table("Pods", *columns, "to the end, CPU s", "CPU ms a pod")
    sizes: list[int] = options.pods
    with ExitStack() as running:
        servers = [running.enter_context(localkube(options.folder / f"{size}")) for size in sizes]
        both = list(zip(servers, sizes, strict=True))
        apis = [
            running.enter_context(_cluster(server, "full", size + TURNS * A_TURN, ENDURE))
            for server, size in both
        ]
        ending = [
            running.enter_context(_cluster(server, "ending", size // ROOM, LIVE)) for server, size in both
        ]
        before = [server.cpu() for server in servers]
        say(f"Filling {len(sizes)} clusters with {', '.join(f'{size:,}' for size in sizes)} pods ...")
        for api, size in zip(apis, sizes, strict=True):
            _fill(api, size)
        for api, size in zip(apis, sizes, strict=True):
            _await(api, "ready", size)
        cpu = [server.cpu() - earlier for server, earlier in zip(servers, before, strict=True)]
        say("Creating and listing ...")
        seconds = [0.0 for _ in sizes]
        for turn in range(TURNS):
            for n, api in enumerate(apis):
                seconds[n] += _create(api, turn)
        rows = [
            (f"{size:,}", number(spent), number(TURNS * A_TURN / took), _list(api), server.memory())
            for size, api, server, spent, took in zip(sizes, apis, servers, cpu, seconds, strict=True)
        ]
        say("Letting as many pods live and end ...")
        lives = [_lives(api, server, size) for api, server, size in zip(ending, servers, sizes, strict=True)]
    for size, (*cells, listed, memory), life in zip(sizes, rows, lives, strict=True):
        ends = number(life), number(1000 * life / size)
        found.add_row(*cells, number(listed), megabytes(memory), *ends)
    findings = (
        f"With {sizes[-1]:,} pods a list of {PAGE:,} takes {number(listed)} s, "
        f"and the server holds {megabytes(memory)} MB.",
        *(
            f"{what}, one of {size:,} pods takes {number(spent / size * sizes[0] / all_spent[0])} × the CPU "
            f"time of one of {sizes[0]:,}."
            for what, all_spent in (("Until it runs", cpu), ("To its end", lives))
            for size, spent in zip(sizes[1:], all_spent[1:], strict=True)
        ),
        *(
            f"With {size:,} pods one more takes {number(took / seconds[0])} × the time as with {sizes[0]:,}."
            for size, took in zip(sizes[1:], seconds[1:], strict=True)
        ),
    )
    return Report(__doc__.partition("\n")[2], found, findings, packages=("aiohttp", "msgspec"))


def _cluster(server: Localkube, name: str, room: int, seconds: float) -> AbstractContextManager[httpx.Client]:
    """Make a cluster with room for so many pods, which live so long."""
    nodes = room // PODS_A_NODE + 1
    shape = {"nodes": nodes, "cpu": "64", "memory": "256Gi", "pods": PODS_A_NODE}
    return reached(server.uncounted(name, **shape, simulate={"seconds": seconds}))


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


def _await(api: httpx.Client, state: str, size: int) -> None:
    """Wait until so many pods of the Jobs are ready, or have succeeded."""
    deadline = time.monotonic() + PATIENCE
    while (there := _count(api, state)) < size:
        if time.monotonic() > deadline:
            raise BenchError(f"after {PATIENCE:.0f} s {there:,} of {size:,} pods are {state}")
        time.sleep(0.5)


def _count(api: httpx.Client, state: str) -> int:
    jobs = api.get(JOBS).raise_for_status().json()["items"]
    return sum(int(job["status"].get(state, 0)) for job in jobs)


def _lives(api: httpx.Client, server: Localkube, size: int) -> float:
    """Return the CPU seconds of a server for so many pods, from their Jobs to the last one's end."""
    before = server.cpu()
    _fill(api, size)
    _await(api, "succeeded", size)
    return server.cpu() - before


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

"""Fill localkube with pods: few of them against as many as the full campaign has.

One cluster of simulated nodes is filled by Indexed Jobs, at the rate at which the Job controller makes pods.
At each size one client creates pods, one request after another, and lists 5,000 of them; the memory is that
of the server process.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import httpx

from bench.measure import BenchError
from bench.report import Report, Say, megabytes, number, table
from bench.surroundings import localkube, reached

SIZES = (500, 20_000, 27_000)
PODS_A_NODE = 110
PODS_A_JOB = 1_000
CREATIONS = 300  # at each size: enough to even out a commit that takes its time
PAGE = 5_000
LISTS = 5
ENDURE = 7 * 24 * 3600  # s that a simulated pod runs: longer than the bench
PATIENCE = 600.0  # s
JOBS, PODS = "apis/batch/v1/namespaces/default/jobs", "api/v1/namespaces/default/pods"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the bench can be told."""
    parser.add_argument(
        "--pods",
        type=int,
        nargs="+",
        default=SIZES,
        metavar="N",
        help=f"the sizes, rising (default {' '.join(map(str, SIZES))})",
    )


def run(options: argparse.Namespace, say: Say) -> Report:
    """Measure at each size, on the way up."""
    found = table("Pods", "made by Jobs, pods/s", "created, pods/s", f"list of {PAGE:,}, s", "memory MB")
    created: list[float] = []
    nodes = (max(options.pods) + len(options.pods) * CREATIONS) // PODS_A_NODE + 1
    with localkube(options.folder / "state") as server:
        shape = {"nodes": nodes, "cpu": "64", "memory": "256Gi", "pods": PODS_A_NODE}
        kubeconfig = server.uncounted("full", **shape, simulate={"seconds": ENDURE})
        with reached(kubeconfig) as api:
            held = 0
            for size in options.pods:
                say(f"Filling a cluster of {nodes:,} nodes with {size:,} pods ...")
                filled = _fill(api, held, size)
                created.append(_create(api, size))
                held = size + CREATIONS
                listed, memory = _list(api), server.memory()
                cells = (number(filled), number(created[-1]), number(listed), megabytes(memory))
                found.add_row(f"{size:,}", *cells)
    findings = (
        f"With {max(options.pods):,} pods a list of {PAGE:,} takes {number(listed)} s, "
        f"and the server holds {megabytes(memory)} MB.",
        *(
            f"With {size:,} pods one more takes {number(created[0] / speed)} × the time of the first ones."
            for size, speed in zip(options.pods[1:], created[1:], strict=True)
        ),
    )
    return Report(__doc__.partition("\n")[2], found, findings, packages=("aiohttp", "msgspec"))


def _fill(api: httpx.Client, held: int, size: int) -> float:
    """Let Jobs make pods until there are `size`, all of them running; returns how many a second."""
    began, missing = time.perf_counter(), size - held
    for first in range(0, missing, PODS_A_JOB):
        completions = min(PODS_A_JOB, missing - first)
        spec = {
            "completionMode": "Indexed",
            "completions": completions,
            "parallelism": completions,
            "template": {"spec": _pod_spec()},
        }
        body = {"metadata": {"name": f"fill-{held + first}"}, "spec": spec}
        api.post(JOBS, json=body).raise_for_status()
    while (running := _running(api)) < size:
        if time.perf_counter() - began > PATIENCE:
            raise BenchError(f"after {PATIENCE:.0f} s {running:,} of {size:,} pods run")
        time.sleep(0.5)
    return missing / (time.perf_counter() - began)


def _running(api: httpx.Client) -> int:
    """How many pods run: those of the Jobs, by their status, and those that were created by hand."""
    jobs = api.get(JOBS).raise_for_status().json()["items"]
    by_hand = api.get(PODS, params={"labelSelector": "by=hand"}).raise_for_status().json()["items"]
    ready: int = sum(job["status"].get("ready", 0) for job in jobs)
    return ready + len(by_hand)


def _create(api: httpx.Client, size: int) -> float:
    """Create pods one by one; returns how many a second."""
    began = time.perf_counter()
    for n in range(CREATIONS):
        metadata = {"name": f"pod-{size}-{n}", "labels": {"by": "hand"}}
        api.post(PODS, json={"metadata": metadata, "spec": _pod_spec()}).raise_for_status()
    return CREATIONS / (time.perf_counter() - began)


def _list(api: httpx.Client) -> float:
    """Return the seconds that a list of `PAGE` pods takes: the middle one of a few."""

    def once() -> float:
        began = time.perf_counter()
        api.get(PODS, params={"limit": PAGE}).raise_for_status()
        return time.perf_counter() - began

    return statistics.median(once() for _ in range(LISTS))


def _pod_spec() -> dict[str, Any]:
    amounts = {"cpu": "100m", "memory": "64Mi"}
    container = {"name": "main", "image": "none:1", "resources": {"requests": amounts, "limits": amounts}}
    return {"restartPolicy": "Never", "containers": [container]}

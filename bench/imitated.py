"""Pack shards into pods on localkube, at the rates of a control plane: `auto` against fixed numbers.

What `bench-packing` simulates happens here: pods of simulated nodes, on a cluster of 22 nodes of 16 cores,
are made ten a second, each answer is held back by 40 ms, and each pod runs for as long as one of so many
files takes to start and to work. The bench makes the pods itself, since localkube's controller of Jobs is
not slowed down. All files of a row have the same size. Time is from the first request until the last pod is
seen to have succeeded. Predicted is what `plan` says of `auto`. Files of 2.6 GB are left out: one takes two
minutes, whatever the control plane does, and pods of several are never faster.
"""

import argparse
import math
import time
from typing import Any

import httpx

from bench.measure import BenchError
from bench.packing import ALLOWED, ANSWER, NAMES, Simulation, planned_run
from bench.report import Report, Say, number, table
from bench.surroundings import Localkube, localkube, reached
from higgsdemo.datasets.packing import PODS_A_SECOND

SIZES = (10_000, 10_000_000)
TRIED = (0.5, 0.75, 1.0, 1.5, 2.0)  # times `auto`
PODS = "api/v1/namespaces/default/pods"
PATIENCE = 300.0  # s


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument("--files", type=int, nargs="+", default=[100, 1_000], help="numbers of files")
    parser.add_argument("--tried", type=float, nargs="+", default=TRIED, help="numbers as parts of `auto`")


def run(options: argparse.Namespace, say: Say) -> Report:
    """Let each number and size of files run with several numbers of shards per pod."""
    found = table(
        "Files", "of", "auto", "s", "best tried", "s", "ratio", "predicted s", "off by", "simulated s"
    )
    planned, cluster = planned_run()
    worst = furthest = 0.0
    with localkube(options.folder / "imitated") as server:
        server.hold_back(ANSWER)
        for files in options.files:
            for size in SIZES:
                simulation = Simulation(planned, cluster, [size] * files)
                auto, took = simulation.auto, {}
                for each in sorted({max(round(part * auto), 1) for part in (1.0, *options.tried)}):
                    say(f"{files:,} files of {NAMES[size]}, {each} a pod ...")
                    seconds = simulation.start + each * simulation.shard_seconds(size)
                    took[each] = _run(server, f"f{files}-{size}-{each}", math.ceil(files / each), seconds)
                best = min(took, key=lambda each: took[each])
                predicted = simulation.predicted(auto)
                ratio, off = took[auto] / took[best], predicted / took[auto] - 1
                worst, furthest = max(worst, ratio), max(furthest, abs(off))
                cells = (auto, number(took[auto]), best, number(took[best]), f"{ratio:.2f}")
                more = (number(predicted), f"{off:+.0%}", number(simulation.dealt(auto)[-1]))
                found.add_row(f"{files:,}", NAMES[size], *map(str, cells), *more)
    return Report(
        __doc__.partition("\n")[2],
        found,
        (
            f"`auto` takes at most {worst:.2f} times the time of the best number tried "
            f"({'within' if worst <= ALLOWED else 'beyond'} the {ALLOWED - 1:.0%} that it may).",
            f"What `plan` predicts is at most {furthest:.0%} off.",
        ),
        packages=("aiohttp", "msgspec"),
    )


def _run(server: Localkube, name: str, pods: int, seconds: float) -> float:
    """Make so many pods, each of which runs for some seconds; return the seconds until all have succeeded."""
    shape = {"nodes": 22, "cpu": "16", "memory": "104Gi", "simulate": {"seconds": seconds}}
    with reached(server.cluster(name, **shape)) as api:
        began = time.monotonic()
        for made in range(pods):
            time.sleep(max(began + made / PODS_A_SECOND - time.monotonic(), 0.0))
            api.post(PODS, json=_pod(made)).raise_for_status()
        while (succeeded := _succeeded(api)) < pods:
            if time.monotonic() > began + PATIENCE:
                raise BenchError(f"after {PATIENCE:.0f} s {succeeded} of {pods} pods have succeeded")
            time.sleep(0.05)
        return time.monotonic() - began


def _succeeded(api: httpx.Client) -> int:
    found = api.get(PODS, params={"fieldSelector": "status.phase=Succeeded"}).raise_for_status().json()
    return len(found["items"])


def _pod(number: int) -> dict[str, Any]:
    amounts = {"cpu": "1", "memory": "1Gi"}
    container = {"name": "main", "image": "none:1", "resources": {"requests": amounts, "limits": amounts}}
    spec = {"restartPolicy": "Never", "containers": [container]}
    return {"metadata": {"name": f"pod-{number}"}, "spec": spec}

"""Pack shards into pods: `auto` against fixed numbers, and the longest first against the order of keys.

Pods are simulated, at the rates of a control plane: it makes ten a second, each answer takes 40 ms, and the
pods of a cluster start in its slots in the order of their completion indexes. A pod takes 4 s to start, and
for each shard 0.2 s, and its bytes at 50 MB/s of stage-in and 30 MB/s of analysis. Files spread around their
mean by a factor of 1.6 (log-normal), as files of one dataset do. Time is that from the first pod to the last
one's end on one cluster of 22 n1-highmem-16; the best fixed number is the best of all in steps of a tenth.
The tail is the part of the time that is left when 99% of the shards are done. In the picture, rings are
`auto`, and dashed lines what `plan` predicts.
"""

import argparse
import heapq
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp

from bench.curves import Curve, Panel
from bench.measure import BenchError
from bench.report import Report, Say, number, table
from higgsdemo.campaign import Cluster
from higgsdemo.datasets.packing import PODS_A_SECOND, cluster_seconds, count_pods
from higgsdemo.datasets.shards import Shard
from higgsdemo.kubernetes.jobs import chunks
from higgsdemo.rates import built_in, pack
from higgsdemo.run import Run

FILES, SIZES = (100, 1_000, 26_920), (10_000, 10_000_000, 2_600_000_000)
ANSWER = 0.04  # s
ALLOWED = 1.1  # times the best
SPREAD = 0.47  # exp(0.47) = 1.6
NAMES = {10_000: "10 kB", 10_000_000: "10 MB", 2_600_000_000: "2.6 GB"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument("--files", type=int, nargs="+", default=FILES, help="numbers of files")


def run(options: argparse.Namespace, say: Say) -> Report:
    """Simulate each number and size of files with each number of shards per pod."""
    found = table(
        "Files", "of", "auto", "s", "best", "s", "ratio", "tail", "in order: s", "tail", "1 a pod, s"
    )
    worst = longest = 0.0
    curves: dict[int, list[Curve]] = defaultdict(list)
    for files, size, simulate in simulations(options.files, say):
        auto = simulate.auto
        ends = simulate.dealt(auto)
        times = {k: simulate.dealt(k)[-1] for k in _numbers(files)}
        best = min(times, key=lambda k: times[k])
        as_listed = simulate.listed(auto)
        ratio, tail = ends[-1] / times[best], tail_of(ends)
        worst, longest = max(worst, ratio), max(longest, tail if files >= 1000 else 0.0)
        row = (auto, number(ends[-1]), best, number(times[best]), f"{ratio:.2f}", f"{tail:.0%}")
        order = (number(as_listed[-1]), f"{tail_of(as_listed):.0%}", number(times[1]))
        found.add_row(f"{files:,}", size, *map(str, row), *order)
        times = dict(sorted((times | {auto: ends[-1]}).items()))
        predicted = [simulate.predicted(k) for k in times]
        curves[files].append(Curve(f"of {size}", [*times], [*times.values()], [auto], predicted))
    panels = [Panel(f"{files:,} files", "shards per pod", "time [s]", of) for files, of in curves.items()]
    if worst > ALLOWED:
        raise BenchError(f"`auto` takes {worst:.2f} times the time of the best fixed number")
    return Report(
        __doc__.partition("\n")[2],
        found,
        (
            f"`auto` takes at most {worst:.2f} times the time of the best fixed number.",
            f"The last 1% of 1,000 shards and more takes at most {longest:.0%} of the time.",
        ),
        packages=(),
        panels=tuple(panels),
    )


@dataclass(frozen=True)
class Pod:
    """When a simulated pod begins with its first shard, how long each should take, and when each is done."""

    begun: float
    seconds: Sequence[float]
    ends: list[float]


class Simulation:
    """Shards of some sizes on one cluster."""

    def __init__(self, planned: Run, cluster: Cluster, sizes: Sequence[int]) -> None:
        self._slots, self._rates, self._run = cluster.slots or 1, built_in(planned), planned
        self._mean = sum(sizes) / len(sizes)
        self.auto = pack(planned, cluster, [len(sizes)], self._mean)
        """The shards per pod that `auto` chooses."""
        self.start = self._rates.seconds(planned, 0, 0)
        """Seconds that a pod takes to start."""
        self._shards = [Shard("D", f"{n:05}", f"s3://b/{n:05}", size) for n, size in enumerate(sizes)]

    def dealt(self, each: int) -> list[float]:
        """Return when each shard is done, in ascending order, in pods as they are made."""
        return ends_of(self.pods(each))

    def pods(self, each: int, slow: Callable[[], float] = lambda: 1.0) -> list[Pod]:
        """Return these pods; `slow` tells how many times longer than it should the next one takes."""
        lines = (line for chunk in chunks(self._shards, each) for line in chunk.lines)
        return self._pods(([one["size"] for one in json.loads(line)["shards"]] for line in lines), slow)

    def listed(self, each: int) -> list[float]:
        """Return the same with shards in the order in which they are listed."""
        sizes = [shard.size or 0 for shard in self._shards]
        return ends_of(self._pods((sizes[n : n + each] for n in range(0, len(sizes), each)), lambda: 1.0))

    def predicted(self, each: int) -> float:
        """Return the seconds that `plan` predicts, from the mean size alone."""
        total = len(self._shards)
        one = self.start + min(each, total) * self.shard_seconds(self._mean)
        return cluster_seconds(count_pods([total], each), self._slots, one)

    def shard_seconds(self, size: float) -> float:
        """Return the seconds that a shard of so many bytes takes."""
        return self._rates.seconds(self._run, 1, size) - self.start

    def _pods(self, pods: Iterator[list[int]], slow: Callable[[], float]) -> list[Pod]:
        free, made = [0.0] * self._slots, []
        for index, sizes in enumerate(pods, 1):
            begun = max(index / PODS_A_SECOND + ANSWER, heapq.heappop(free)) + self.start
            seconds = [*map(self.shard_seconds, sizes)]
            times = slow()
            ends = [begun + times * done for done in accumulate(seconds)]
            made.append(Pod(begun, seconds, ends))
            heapq.heappush(free, ends[-1])
        return made


def simulations(numbers: Sequence[int], say: Say) -> Iterator[tuple[int, str, Simulation]]:
    """Yield each number and size of files, and their simulation."""
    planned, cluster = planned_run()
    for files in numbers:
        for mean in SIZES:
            say(f"{files:,} files of {NAMES[mean]} ...")
            yield files, NAMES[mean], Simulation(planned, cluster, draw_sizes(files, mean))


def ends_of(pods: Sequence[Pod]) -> list[float]:
    """Return when each shard of the pods is done, in ascending order."""
    return sorted(end for pod in pods for end in pod.ends)


def planned_run() -> tuple[Run, Cluster]:
    """Return a run of our workload, and a cluster as those of the full campaign."""
    fields = {"campaign": "bench", "name": "bench", "image": "none", "stage_in_image": "none"}
    output = {"output": "s3://none/bench/bench", "output_connection": "none", "pod_endpoint": None}
    planned = Run(**fields, **output, stages=(), resume=False)
    shape = {"flavor": "n1-highmem-16", "cores": 16, "nodes": 22, "shards_per_pod": "auto"}
    return planned, Cluster(
        name="bench", provider="gke", connection="none", input_connection="none", datasets=(), **shape
    )


def draw_sizes(files: int, mean: int) -> list[int]:
    """Return sizes around a mean, the same each time."""
    draw = random.Random(files)
    return [round(mean * exp(draw.gauss(-(SPREAD**2) / 2, SPREAD))) for _ in range(files)]


def _numbers(files: int) -> list[int]:
    numbers = [1]
    while numbers[-1] < files:
        numbers.append(max(numbers[-1] + 1, round(numbers[-1] * 1.1)))
    return [min(k, files) for k in numbers]


def tail_of(ends: list[float]) -> float:
    """Return the part of the time that the last 1% of the shards takes."""
    return 1 - ends[int(0.99 * len(ends)) - 1] / ends[-1]

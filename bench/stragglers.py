"""Slow pods at the end of a cluster's share: with second attempts that race them, and without.

Pods are simulated as by `bench-packing`, with `auto`. How many are slow, and how much, is assumed: one in a
hundred takes at least twice as long as it should, one in five of these ten times and more (a Pareto
distribution of index 1), and at most thirty times, as where a connection hangs until it is given up. Nothing
of that lies in the shards, so another attempt takes as long as it should. As the wait for Jobs does, the race
looks every ten seconds once no pod waits for its turn, and begins with the last 3% of shards, where pods
have run for 1.5 times the median. Numbers are means of several draws; the tail is the part of the time that
is left when 99% of the shards are done.
"""

import argparse
import random
from collections.abc import Callable
from dataclasses import replace
from statistics import mean, median

from bench.measure import BenchError
from bench.packing import ANSWER, FILES, Pod, ends_of, simulations, tail_of
from bench.report import Report, Say, number, table
from higgsdemo.datasets.packing import PODS_A_SECOND
from higgsdemo.tolerance import allowed
from higgsdemo.triggers.race import SLOW

RACED = 0.03  # as race_stragglers
SLOW_PODS = 0.01
AT_LEAST, AT_MOST = 2.0, 30.0  # times as long as it should
LOOK = 10.0  # s
LONGEST_TAIL = 0.3  # of the time, for the last 1%


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument("--files", type=int, nargs="+", default=FILES, help="numbers of files")
    parser.add_argument("--draws", type=int, default=20, help="of slow pods")


def run(options: argparse.Namespace, say: Say) -> Report:
    """Simulate each number and size of files, several times."""
    columns = (
        "pods",
        "none slow: s",
        "tail",
        "slow: s",
        "tail",
        "raced: s",
        "tail",
        "again",
        "of pods' time",
    )
    found = table("Files", "of", *columns)
    longest = before = 0.0
    for files, size, simulate in simulations(options.files, say):
        alone = simulate.dealt(simulate.auto)
        slow, raced, again, more = [], [], [], []
        for seed in range(options.draws):
            pods = simulate.pods(simulate.auto, _slowness(seed))
            slow.append(ends_of(pods))
            ended, attempts, seconds = race(pods, simulate.start)
            raced.append(ends_of(ended))
            again.append(attempts)
            more.append(seconds / sum(pod.ends[-1] - pod.begun for pod in ended))
        cells = [str(len(pods)), number(alone[-1]), f"{tail_of(alone):.0%}"]
        for ends in (slow, raced):
            cells += [number(mean(one[-1] for one in ends)), f"{mean(map(tail_of, ends)):.0%}"]
        cells += [f"{mean(again):.1f}", f"{mean(more):.2%}"]
        found.add_row(f"{files:,}", size, *cells)
        if files >= 1000:
            longest = max(longest, mean(map(tail_of, raced)))
            before = max(before, mean(map(tail_of, slow)))
    if longest > LONGEST_TAIL:
        raise BenchError(f"with the race the last 1% of the shards takes {longest:.0%} of the time")
    return Report(
        __doc__.partition("\n")[2],
        found,
        (
            f"The last 1% of 1,000 shards and more takes {before:.0%} of the time at most, and {longest:.0%} "
            "with the race.",
        ),
        packages=(),
    )


def race(pods: list[Pod], start: float) -> tuple[list[Pod], int, float]:
    """Return the pods with the ends that second attempts give them, the number of these and their seconds.

    :param start: seconds that a pod takes to start.
    """
    pods = [replace(pod, ends=list(pod.ends)) for pod in pods]
    total = sum(len(pod.ends) for pod in pods)
    moment = max(pod.begun for pod in pods)
    untried, spent = list(range(len(pods))), 0.0
    while left := [pod for pod in pods if pod.ends[-1] > moment]:
        shards = sum(end > moment for pod in left for end in pod.ends)
        ended = [pod.ends[-1] - pod.begun + start for pod in pods if pod.ends[-1] <= moment]
        if ended and (len(left) == 1 or shards <= allowed(RACED, total)):
            usual = median(ended)
            slow = [n for n in untried if pods[n].ends[-1] > moment > pods[n].begun - start + SLOW * usual]
            for turn, n in enumerate(slow, 1):
                untried.remove(n)
                spent += _try_again(pods[n], moment + turn / PODS_A_SECOND + ANSWER + start) + start
        moment += LOOK
    return pods, len(pods) - len(untried), spent


def _try_again(pod: Pod, begun: float) -> float:
    """Let a second attempt work on what has no result when it comes to it; return the seconds it runs."""
    clock = begun
    for n, seconds in enumerate(pod.seconds):
        if pod.ends[n] > clock:
            clock += seconds
            pod.ends[n] = min(pod.ends[n], clock)
    return max(min(clock, pod.ends[-1]) - begun, 0.0)


def _slowness(seed: int) -> Callable[[], float]:
    draw = random.Random(seed)

    def times() -> float:
        if draw.random() >= SLOW_PODS:
            return 1.0
        return min(AT_LEAST / (1.0 - draw.random()), AT_MOST)

    return times

"""How many shards a pod takes: one where files are large, more where making pods would take longer."""

from collections.abc import Sequence
from math import ceil

from higgsdemo.campaign import Cluster

PODS_A_SECOND = 10.0
"""Pods that one control plane makes and places: 10 to 20 a second at its default settings."""

NEAR = 1.05  # times the shortest time: fewer shards a pod lose less with a pod, and even out better
_STEP = 1.02  # between numbers that are tried
_TURNS = 20  # of pods in their slots, of which each number is tried


def shards_per_pod(cluster: Cluster, shards: Sequence[int], start: float, each: float) -> int:
    """Return the number of shards per pod of ``cluster``.

    For ``auto`` the fewest with which the cluster's time is within 5% of the shortest. A pod costs its start
    and a tenth of a second of the control plane, so that pods of one small file take most of the time; pods
    of too many leave slots idle.

    :param shards: of each dataset.
    :param start: seconds until a pod works on its first shard.
    :param each: seconds that a shard takes.
    """
    if cluster.shards_per_pod != "auto":
        return cluster.shards_per_pod
    total, slots = sum(shards), cluster.slots
    even = {ceil(total / (turn * slots)) for turn in range(1, _TURNS)} if slots else set()
    tried = [1]
    while tried[-1] < total:
        tried.append(min(ceil(tried[-1] * _STEP), total))
    times = {
        k: cluster_seconds(count_pods(shards, k), slots, start + min(k, total) * each)
        for k in sorted({*tried, *even})
        if k
    }
    return next(k for k, seconds in times.items() if seconds <= NEAR * min(times.values()))


def count_pods(shards: Sequence[int], each: int) -> int:
    """Return the pods of a cluster's Jobs: each is of one dataset, whose last pod may not be full."""
    return sum(ceil(number / each) for number in shards)


def cluster_seconds(pods: int, slots: int | None, one: float) -> float:
    """Return the seconds that a cluster takes for pods of `one` second each.

    The last pod is created after pods / 10 s and runs for `one`; where pods must wait for each other, they
    take pods / slots turns of it. The longer of the two counts.

    :param slots: pods that fit at once; None where unknown.
    """
    return max(pods / PODS_A_SECOND + one, ceil(pods / slots) * one if slots else 0.0)

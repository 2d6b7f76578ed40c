"""How many shards a pod takes: one where files are large, more where making pods would take longer."""

from math import ceil

from higgsdemo.campaign import Cluster

PODS_A_SECOND = 10.0
"""Pods that one control plane makes and places: 10 to 20 a second at its default settings."""

ALL_THERE_IN = 60.0  # s


def shards_per_pod(cluster: Cluster, shards: int) -> int:
    """Return the number of shards per pod of ``cluster``, of ``shards`` in all.

    For ``auto``: ``shards / k`` pods of k shards exist after ``shards / (k * PODS_A_SECOND)`` seconds. That
    should be a minute at most, so ``k >= shards / 600``. But every slot should have work, so that there are
    at least as many pods as slots: ``k <= shards / slots``. The second wins: idle cores cost more than a late
    start.

    26,920 shards on ten clusters of 1,122 slots are 2,692 each: a minute asks for 5 shards a pod, the slots
    allow 2. A million shards there are 100,000 each: 167 for the minute, 89 for the slots, and 1,124 pods.
    """
    if cluster.shards_per_pod != "auto":
        return cluster.shards_per_pod
    wanted = ceil(shards / (ALL_THERE_IN * PODS_A_SECOND))
    allowed = shards // cluster.slots if cluster.slots else wanted
    return max(min(wanted, allowed), 1)

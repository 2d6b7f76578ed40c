"""The images a campaign can run, each with what its containers are given beyond the pod contract.

A workload keeps the pod contract (``docs/architecture.md``): it finds its shards through ``SHARD_MANIFEST``
and ``JOB_COMPLETION_INDEX`` and leaves one result a shard below ``OUTPUT_URL``.
"""

from __future__ import annotations

from dataclasses import dataclass

BAD_INPUT = 65  # EX_DATAERR of sysexits.h: the shard itself is bad, trying again cannot help


@dataclass(frozen=True, slots=True)
class Workload:
    """An image that keeps the pod contract.

    :param image: its default reference; a campaign may name another.
    :param noop: a command that is in the image, needs no input and succeeds at once; prepulling runs it.
    """

    name: str
    image: str
    noop: tuple[str, ...] = ("true",)


WORKLOADS = {
    "nanoaod": Workload(name="nanoaod", image="higgsdemo/nanoaod:1"),
    "aod": Workload(name="aod", image="lukasheinrich/cms-higgs-4l-full"),
}

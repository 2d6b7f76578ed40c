"""The images a campaign can run, each with what its containers get beyond the pod contract.

A workload keeps the pod contract (``docs/architecture.md``): it finds its shards through ``SHARD_MANIFEST``
and ``JOB_COMPLETION_INDEX`` and writes one result per shard below ``OUTPUT_URL``. An image that cannot reach
a bucket, such as that of 2019, is a command for each shard, beside an image that can.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from higgsdemo.campaign.command import BESIDE

OUR_IMAGE = "higgsdemo/nanoaod:1"  # as include/workload is built: it is in no registry
BAD_INPUT = 65  # EX_DATAERR of sysexits.h: the shard itself is bad, trying again cannot help
NOOP = "true"  # a command that is in every image, needs no input and succeeds at once; prepulling runs it

CMSSW_OF_2019 = Path(__file__).with_name("cmssw_2019.sh").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Workload:
    """An image that analyses shards.

    :param image: its default reference, empty for ours; a campaign may name another.
    :param environment: its own variables.
    :param command: that command, where the campaign names none.
    :param outputs: globs of the files that it leaves, where the campaign names none; without any, its result
        is the document that it writes.
    :param run_as: ``image`` for the image's own user.
    :param start_seconds: from a pod's start until it works on its first shard, on a node that has the image.
    :param shard_seconds: that a shard takes however small it is: to open it, and to publish its result.
    :param bytes_a_second: that it analyses on a core.
    """

    name: str
    image: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    run_as: str | None = None
    start_seconds: float = 4.0
    shard_seconds: float = 0.2  # as files of 0.7 MB and 4,000 events take
    bytes_a_second: float = 30e6

    @property
    def with_sidecar(self) -> bool:
        """Whether it runs a command on local files; ours stages in and publishes beside it."""
        return self.name in BESIDE


WORKLOADS = {
    "nanoaod": Workload("nanoaod"),
    "nanoaod-outreach": Workload("nanoaod-outreach", environment={"SELECTION": "outreach"}),
    "nanoaod-v9": Workload("nanoaod-v9", environment={"SELECTION": "nanoaod-v9"}),
    "own": Workload("own"),  # a campaign names its image
    "command": Workload("command", outputs=("*",)),  # a campaign names image and command
    # 25,000 files of 2.6 GB in five minutes on 20,000 cores, of which 52 s went into each file's stage-in.
    "aod": Workload(
        "aod",
        "lukasheinrich/cms-higgs-4l-full",
        command=("/bin/bash", "-ec", CMSSW_OF_2019),
        run_as="image",
        bytes_a_second=13e6,
    ),
}


def our_image() -> str:
    """Return our image as `HIGGS_IMAGE` names it, for a deployment that has pushed it to a registry."""
    return os.environ.get("HIGGS_IMAGE") or OUR_IMAGE


def is_ours(image: str) -> bool:
    """Return whether a reference has the name of our own builds, which nobody owns on Docker Hub."""
    return re.sub(r"^((index|registry-1)\.)?docker\.io/", "", image).startswith("higgsdemo/")

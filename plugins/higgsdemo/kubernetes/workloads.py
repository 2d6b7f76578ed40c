"""The images a campaign can run, each with what its containers get beyond the pod contract.

A workload keeps the pod contract (``docs/architecture.md``): it finds its shards through ``SHARD_MANIFEST``
and ``JOB_COMPLETION_INDEX`` and writes one result per shard below ``OUTPUT_URL``. An image that cannot reach
a bucket, such as that of 2019, runs between two containers of an image that can.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

OUR_IMAGE = "higgsdemo/nanoaod:1"  # as include/workload is built: it is in no registry
BAD_INPUT = 65  # EX_DATAERR of sysexits.h: the shard itself is bad, trying again cannot help
NOOP = "true"  # a command that is in every image, needs no input and succeeds at once; prepulling runs it

AOD_CONFIGS = {
    "data": "/configs/demoanalyzer_cfg_level4data.py",
    "mc": "/configs/demoanalyzer_cfg_level4MC.py",
}
"""The analysis' configuration in the CMSSW image, by datatype."""

AOD_CERTIFIED = {
    2011: "/json_files/Cert_160404-180252_7TeV_ReRecoNov08_Collisions11_JSON.txt",
    2012: "/json_files/Cert_190456-208686_8TeV_22Jan2013ReReco_Collisions12_JSON.txt",
}
"""The list of certified luminosity sections in the CMSSW image, by year of the data."""


@dataclass(frozen=True, slots=True)
class Workload:
    """An image that analyses shards.

    :param image: its default reference, empty for ours; a campaign may name another.
    :param environment: its own variables.
    :param stages_in_apart: it analyses only local files: other containers stage in and publish for it.
    :param start_seconds: from a pod's start until it works on its first shard, on a node that has the image.
    :param bytes_a_second: that it analyses on a core.
    """

    name: str
    image: str = ""
    stages_in_apart: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    start_seconds: float = 4.0
    bytes_a_second: float = 30e6


WORKLOADS = {
    "nanoaod": Workload("nanoaod"),
    "nanoaod-outreach": Workload("nanoaod-outreach", environment={"SELECTION": "outreach"}),
    "own": Workload("own"),  # a campaign names its image
    # 25,000 files of 2.6 GB in five minutes on 20,000 cores, of which 52 s went into each file's stage-in.
    "aod": Workload("aod", "lukasheinrich/cms-higgs-4l-full", stages_in_apart=True, bytes_a_second=13e6),
}


def our_image() -> str:
    """Return our image as `HIGGS_IMAGE` names it, for a deployment that has pushed it to a registry."""
    return os.environ.get("HIGGS_IMAGE") or OUR_IMAGE


def is_ours(image: str) -> bool:
    """Return whether a reference has the name of our own builds, which nobody owns on Docker Hub."""
    return re.sub(r"^((index|registry-1)\.)?docker\.io/", "", image).startswith("higgsdemo/")

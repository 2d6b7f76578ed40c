"""One run of a campaign, and one cluster's part in it: what the tasks of a DAG run hand to each other.

The planned run travels through XCom, so it holds settings and names only: never a credential, and nothing
that grows with the number of shards.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.campaign.fields import Incomplete, Read
from higgsdemo.campaign.model import Cluster

Stage = Literal["create", "prepare", "submit", "cleanup"]
Cleanup = Literal["none", "jobs", "clusters"]
GROWING = "growing"  # the name of the one run of a campaign over datasets that grow
RECORD = "campaign.json"  # in the run's folder: the resolved campaign


class Run(BaseModel):
    """One run of a campaign.

    :param campaign: the DAG's id.
    :param name: names the run's jobs and its folder in the output bucket.
    :param stage_in_image: stages in and publishes where ``image`` cannot (workload ``aod``).
    :param output: the run's folder, ``<output>/<campaign>/<name>``.
    :param output_connection: Airflow connection that writes it.
    :param pod_endpoint: endpoint of the output's store as pods see it; None for the connection's.
    :param tolerance: failed shards that a cluster may have: a count, or a fraction of its shards.
    :param read: how pods read shards.
    :param shard_events: files are cut into shards of about so many events; None: a file is one shard.
    :param pod_ca: PEM file, where this runs, of authorities that pods trust besides the public ones.
    :param histograms: what the results of an analysis of one's own hold; empty for the shipped workloads.
    :param live: Airflow connection of the Redis server that gets a copy of each result; None for none.
    :param listed: `plan` has listed the datasets and split them over the clusters.
    :param incomplete: what a dataset does whose listing is empty or not what the catalogue says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    campaign: str
    name: str
    catalogue: str
    workload: str
    image: str
    stage_in_image: str
    output: str
    output_connection: str
    pod_endpoint: str | None
    stages: tuple[Stage, ...]
    resume: bool
    listed: bool = False
    cleanup: Cleanup
    tolerance: int | float
    incomplete: Incomplete
    download_limit_kbps: int | None
    read: Read = "stage-in"
    shard_events: int | None = None
    pod_ca: str | None = None
    histograms: tuple[HistogramSpec, ...] = ()
    live: str | None = None

    def allowed_failures(self, shards: int) -> int:
        """Return how many of ``shards`` may fail."""
        return int(self.tolerance * shards) if isinstance(self.tolerance, float) else self.tolerance

    @property
    def plot(self) -> str:
        """The name of the run's pictures, without their ending."""
        return "spectrum" if self.histograms else "higgs"

    def results(self, dataset: str) -> str:
        """Return the URL below which the pods leave the results of ``dataset``."""
        return f"{self.output}/results/{dataset}"


class ClusterRun(BaseModel):
    """One cluster's part of a run: an element that the cluster task group is mapped over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: Run
    cluster: Cluster


def run_name(run_id: str, start: datetime) -> str:
    """Return the name of a run that was given none: its start, and four digits that tell its run id.

    >>> run_name("manual__1", datetime(2026, 1, 2, 3, 4, 5))
    '20260102t030405-9ac4'
    """
    return f"{start:%Y%m%dt%H%M%S}-{hashlib.sha256(run_id.encode()).hexdigest()[:4]}"


def dns_label(text: str, limit: int) -> str:
    """Return ``text`` as a DNS label (RFC 1123) of at most ``limit`` characters."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:limit].rstrip("-")

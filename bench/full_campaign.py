"""The full campaign that the benches submit, watch and list: 68 datasets and 26,920 files on ten clusters.

Its clusters are reached like any existing cluster, by an Airflow connection with a kubeconfig.
"""

import json
import os
import uuid
from collections.abc import Iterator
from typing import Any

from bench.surroundings import BUCKET, CONNECTION
from higgsdemo.campaign import DatasetRef, RunOptions, parse_campaign
from higgsdemo.catalogue import load_catalogue
from higgsdemo.datasets.shards import Shard, dump
from higgsdemo.operators.plan import plan_run
from higgsdemo.run import ClusterRun
from higgsdemo.run_folder import shards_key
from higgsdemo.storage.object_store import ObjectStore

CATALOGUE = "cms-higgs"
FILES = 26_920
FILE_BYTES = 2_600_000_000  # 70 TB in 26,920 files
CLUSTERS = 10


def planned(clusters: int = CLUSTERS) -> list[ClusterRun]:
    """Return each cluster's part: the datasets are assigned in turn, the largest first."""
    datasets = sorted(load_catalogue(CATALOGUE).datasets.values(), key=lambda dataset: -dataset.files)
    document = {
        "catalogue": CATALOGUE,
        "workload": "aod",
        "storage": {"input": f"s3://{BUCKET}", "output": f"s3://{BUCKET}/out", "connection": CONNECTION},
        "mapping": [
            {
                "name": f"kubecon-demo-{number}",
                "provider": "existing",
                "connection": f"cluster_{number}",
                "datasets": [dataset.name for dataset in datasets[number::clusters]],
            }
            for number in range(clusters)
        ],
    }
    campaign = parse_campaign(document, source="the bench's campaign")
    run = plan_run(campaign, RunOptions(), "bench", "run")
    return [ClusterRun(run=run, cluster=cluster) for cluster in campaign.clusters()]


def connect(assignment: ClusterRun, kubeconfig: dict[str, Any]) -> None:
    """Make the Airflow connection of an assignment's cluster."""
    document = {"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(kubeconfig)}}
    os.environ[f"AIRFLOW_CONN_{assignment.cluster.connection.upper()}"] = json.dumps(document)


def keys(dataset: DatasetRef) -> Iterator[str]:
    """Yield the names of a dataset's files below its URL: UUIDs, as the real ones have."""
    for number in range(dataset.files or 0):
        name = uuid.uuid5(uuid.NAMESPACE_URL, f"{dataset.url}{number}")
        yield f"{str(name).upper()}.root"


def shards(assignments: list[ClusterRun], files: int) -> list[list[Shard]]:
    """Return the shards of each cluster; `files` of them in all, spread over the datasets."""
    everything = [
        (position, shard)
        for position, assignment in enumerate(assignments)
        for dataset in assignment.cluster.datasets
        for shard in _all_shards(dataset)
    ]
    taken: list[list[Shard]] = [[] for _ in assignments]
    for number in range(files):
        position, shard = everything[number * len(everything) // files]
        taken[position].append(shard)
    return taken


def leave_shards(assignment: ClusterRun, listed: list[Shard]) -> None:
    """Write a cluster's list of shards to the run's folder, as `list_dataset_shards` does."""
    store = ObjectStore(assignment.run.output, assignment.run.output_connection)
    store.write(shards_key(assignment.cluster.name), b"".join(map(dump, listed)))


def _all_shards(dataset: DatasetRef) -> Iterator[Shard]:
    for key in keys(dataset):
        yield Shard(dataset.name, key.removesuffix(".root"), f"{dataset.url}{key}", FILE_BYTES)

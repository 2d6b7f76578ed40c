"""Submit the full campaign: this project against one Job for each file.

Both ways put the files on ten clusters of an API server, one process a cluster. This project's is the task
`submit_jobs` as Airflow runs it, from reading the list of shards to the last Job; the other is that of the
demo of 2019: `create_from_yaml` of one Job for each file, in batches of 200. All Jobs are suspended, so that
no pods are made. Time begins when every process has imported what it needs. Memory is the sum of all
processes, of which the imports are the larger part.

localkube answers in a millisecond or two. A genuine control plane takes longer: the loop of the original made
22 to 28 Jobs a second on Kubernetes 1.36, so both are compared again with every answer held back by 40 ms.
"""

import argparse
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

from bench import full_campaign, original
from bench.measure import BenchError, Cost, load, measure
from bench.relay import Traffic
from bench.report import COSTS, Report, Say, costs, number, ratio, table
from bench.surroundings import Localkube, localkube, s3
from higgsdemo.datasets.shards import Shard
from higgsdemo.run import ClusterRun

FEW = 1000
GENUINE = 40  # ms: 1 s / 25 Jobs
Row = tuple[Cost, Traffic, float]
"""Cost of the clients, requests to the API, and CPU seconds of the API server."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument(
        "--files",
        type=int,
        nargs="+",
        default=[FEW, full_campaign.FILES],
        help=f"numbers of files to submit (default {FEW} and {full_campaign.FILES})",
    )
    parser.add_argument(
        "--hold-back",
        type=int,
        nargs="+",
        default=[0, GENUINE],
        help=f"milliseconds that answers are held back (default 0 and {GENUINE})",
    )
    parser.add_argument("--clusters", type=int, default=full_campaign.CLUSTERS, help="number of clusters")


def run(options: argparse.Namespace, say: Say) -> Report:
    """Submit each number of files in both ways."""
    found = table("Submit", "files", "held back ms", *COSTS, "server CPU s")
    findings = []
    for files, delay in product(options.files, options.hold_back):
        say(f"Submitting {files} files, answers held back by {delay} ms ...")
        assignments = full_campaign.planned(options.clusters)
        shards = full_campaign.shards(assignments, files)
        folder = options.folder / f"{files}-{delay}"
        ours = _this_project(folder / "ours", delay, assignments, shards)
        theirs = _original(folder / "theirs", delay, assignments, shards)
        for name, (cost, traffic, server) in (("this project", ours), ("a Job for each file", theirs)):
            found.add_row(name, f"{files:,}", f"{delay}", *costs(cost, traffic), number(server))
        findings.append(
            f"{files:,} files, {delay} ms: {ratio(ours[0].seconds, theirs[0].seconds)} less time, "
            f"{ratio(ours[1].requests, theirs[1].requests)} fewer requests; the original's loop makes "
            f"{files / theirs[0].seconds / options.clusters:.0f} Jobs a second in each process."
        )
    return Report(__doc__.partition("\n")[2], found, tuple(findings))


def _this_project(state: Path, delay: int, assignments: list[ClusterRun], shards: list[list[Shard]]) -> Row:
    with s3(), localkube(state) as server:
        for assignment, listed in zip(assignments, shards, strict=True):
            full_campaign.connect(assignment, server.cluster(assignment.cluster.name))
            full_campaign.leave_shards(assignment, listed)
        return _measured(
            server, delay, shards, submit_jobs, [(assignment, True) for assignment in assignments]
        )


def _original(state: Path, delay: int, assignments: list[ClusterRun], shards: list[list[Shard]]) -> Row:
    with localkube(state) as server:
        arguments = []
        for assignment, listed in zip(assignments, shards, strict=True):
            name = assignment.cluster.name
            indexes = state.with_suffix(f".{name}")
            original.write_indexes(indexes, ((shard.dataset, shard.url) for shard in listed))
            arguments.append((server.cluster(name), indexes, True))
        return _measured(server, delay, shards, create_from_yaml, arguments)


def _measured(
    server: Localkube,
    delay: int,
    shards: list[list[Shard]],
    prepare: Any,
    arguments: list[tuple[Any, ...]],
) -> Row:
    server.hold_back(delay / 1000)
    server.take()
    before = server.cpu()
    measured = measure(prepare, arguments)
    if [sum(jobs.values()) for jobs in measured.results] != [len(listed) for listed in shards]:
        raise BenchError("not every file was submitted")
    return measured.cost, server.take(), server.cpu() - before


def submit_jobs(assignment: ClusterRun, suspend: bool) -> Callable[[], dict[str, int]]:
    """Prepare the project's way for a cluster; the work returns the Jobs and their numbers of shards."""
    from higgsdemo.kubernetes import jobs
    from higgsdemo.operators.jobs import SubmitJobsOperator

    load(
        "higgsdemo.clusters.existing",
        "higgsdemo.datasets.packing",
        "higgsdemo.kubernetes.jobs",
        "higgsdemo.kubernetes.api",
        "higgsdemo.storage.object_store",
    )
    load("airflow.providers.amazon.aws.hooks.base_aws", "kubernetes.config", "obstore.auth.boto3")
    load("airflow.sdk.execution_time.supervisor")  # which a task has by its worker

    render = jobs.job

    def suspended(*arguments: Any) -> dict[str, Any]:
        job = render(*arguments)
        return job | {"spec": job["spec"] | {"suspend": suspend}}

    jobs.job = suspended  # type: ignore[assignment]  # the task itself, but for pods
    task = SubmitJobsOperator(task_id="submit_jobs", assignment=assignment.model_dump(mode="json"))
    return lambda: dict(task.execute({})["jobs"])


def create_from_yaml(
    kubeconfig: dict[str, Any], indexes: Path, suspend: bool
) -> Callable[[], dict[str, int]]:
    """Prepare the original's way for a cluster; the work returns the same."""
    from kubernetes.config import new_client_from_config_dict

    api = new_client_from_config_dict(kubeconfig)
    return lambda: original.submit(api, indexes, suspend)

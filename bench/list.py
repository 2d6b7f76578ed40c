"""List the full campaign: this project against a plain paginator.

Both read the 26,920 keys of 68 datasets from one S3 server on this machine. This project's way is the task
`list_dataset_shards`, which asks for several datasets at a time, checks names and sizes, assigns luminosities
and writes the list of shards; the other is boto3's paginator over one prefix after the other, the keys thrown
away.
"""

import argparse
from collections.abc import Callable
from urllib.parse import urlsplit

from bench import full_campaign
from bench.measure import BenchError, load, measure
from bench.relay import HOST
from bench.report import COSTS, Report, Say, costs, ratio, table
from bench.surroundings import BUCKET, s3
from higgsdemo.run import ClusterRun


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument("--datasets", type=int, default=68, help="datasets that are listed (default all 68)")


def run(options: argparse.Namespace, say: Say) -> Report:
    """List the same keys in both ways."""
    (everything,) = full_campaign.planned(clusters=1)
    datasets = everything.cluster.datasets[-options.datasets :]
    assignment = everything.model_copy(
        update={"cluster": everything.cluster.model_copy(update={"datasets": datasets})}
    )
    prefixes = [urlsplit(dataset.url).path[1:] for dataset in datasets]
    keys = [
        prefix + key
        for prefix, dataset in zip(prefixes, datasets, strict=True)
        for key in full_campaign.keys(dataset)
    ]
    say(f"Listing {len(keys):,} keys ...")
    with s3(keys) as store:
        ours, asked = measure(_list_dataset_shards, [(assignment,)]), store.take()
        theirs, paged = measure(_paginate, [(store.port, prefixes)]), store.take()
    if {*ours.results, *theirs.results} != {len(keys)}:
        raise BenchError(f"not every key was listed: {ours.results}, {theirs.results} of {len(keys)}")
    found = table("List", "keys", *COSTS)
    found.add_row("this project", f"{len(keys):,}", *costs(ours.cost, asked))
    found.add_row("boto3's paginator", f"{len(keys):,}", *costs(theirs.cost, paged))
    finding = f"The paginator takes {ratio(ours.cost.seconds, theirs.cost.seconds)} the time."
    return Report(__doc__.partition("\n")[2], found, (finding,), packages=("obstore", "boto3"))


def _list_dataset_shards(assignment: ClusterRun) -> Callable[[], int]:
    from higgsdemo.operators.list_shards import ListShardsOperator

    load(
        "higgsdemo.storage.connections",
        "higgsdemo.datasets.listing",
        "airflow.providers.amazon.aws.hooks.base_aws",
    )
    task = ListShardsOperator(task_id="list_dataset_shards", assignment=assignment.model_dump(mode="json"))
    return lambda: sum(counts["shards"] for counts in task.execute({})["datasets"].values())


def _paginate(port: int, prefixes: list[str]) -> Callable[[], int]:
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=f"http://{HOST}:{port}",
        region_name="us-east-1",
        aws_access_key_id="bench",
        aws_secret_access_key="bench-secret",
    )
    pages = client.get_paginator("list_objects_v2")
    return lambda: sum(
        len(page.get("Contents", ()))
        for prefix in prefixes
        for page in pages.paginate(Bucket=BUCKET, Prefix=prefix)
    )

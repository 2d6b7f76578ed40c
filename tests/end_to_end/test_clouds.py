"""One campaign on clusters of Google, of Amazon and of this machine, with data in GCS and in S3.

The clouds' APIs are served by the tests, over the wire; their clusters are real ones behind a gate that asks
for the clouds' tokens. Airflow knows them by connections in its own database, as it would the real clouds.
"""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from clouds.amazon import REGION, SECRET, Amazon
from clouds.gate import Gate
from clouds.google import PROJECT, Google
from demo.bucket import Bucket
from demo.images import WORKLOAD_IMAGE
from demo_stack import DAG, Stack
from gcs_server import Gcs
from higgsdemo.catalogue import load_catalogue
from higgsdemo.run_folder import locate

MIRROR = "higgs-demo-mirror"
IN_GCS = ["Simulated_Run2012B_DoubleElectron", "Simulated_SMHiggsToZZTo4L_8TeV", "Simulated_ZZTo4mu_8TeV"]
IN_S3 = ["Simulated_Run2012C_DoubleMuParked", "Simulated_ZZTo2e2mu_8TeV"]
DATASETS = load_catalogue("demo").datasets
HERE = ["Simulated_DYJetsToLL_8TeV", "Simulated_TTbar_8TeV"]
MAPPING: list[dict[str, Any]] = [
    {
        "name": "on-gke",
        "provider": "gke",
        "connection": "clouds_google",
        "flavor": "n1-standard-4",
        "image_pull_policy": "Never",
        "nodes": 2,
        "input": f"gs://{MIRROR}",
        "input_connection": "clouds_google",
        "datasets": IN_GCS,
    },
    {
        "name": "on-eks",
        "provider": "eks",
        "connection": "clouds_amazon",
        "location": REGION,
        "flavor": "m5.xlarge",
        "image_pull_policy": "Never",
        "eks": {
            "cluster_role": "arn:aws:iam::123456789012:role/eks-cluster",
            "node_role": "arn:aws:iam::123456789012:role/eks-node",
            "subnets": ["subnet-0a", "subnet-0b"],
        },
        "datasets": IN_S3,
    },
    {"name": "here", "datasets": HERE},
]


class Clouds(NamedTuple):
    """The two clouds, and the store of the one; the other's data lies in the stack's own S3."""

    google: Google
    amazon: Amazon
    gcs: Gcs


class Finished(NamedTuple):
    """A run that has ended, and the clusters as they were before they were removed."""

    name: str
    state: str
    objects: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def clouds(stack: Stack, gate: Gate, gcs: Gcs) -> Iterator[Clouds]:
    """Yield the clouds, with connections to them in Airflow and a part of the demo's data in GCS."""
    google = Google(gate, gate.state, gcs.tokens, polls=1)  # one account for clusters and buckets
    amazon = Amazon(gate, polls=1)
    document = json.loads(google.connection())
    document["extra"]["gcs_api_endpoint"] = gcs.url
    stack.connect("clouds_google", document)
    stack.connect("clouds_amazon", json.loads(amazon.connection()))
    gcs.make_bucket(MIRROR)
    source = Bucket(stack.settings, "higgs-demo")
    for dataset in IN_GCS:
        for key, _ in source.objects(f"{DATASETS[dataset].prefix}/"):
            gcs.put(MIRROR, key, source.read(key))
    yield Clouds(google, amazon, gcs)
    google.stop()
    amazon.stop()


@pytest.fixture(scope="module")
def finished(stack: Stack, clouds: Clouds) -> Finished:
    """Return the campaign, run to its end, its clusters looked at, then removed by a run that cleans up."""
    run = stack.trigger("three-places", mapping=MAPPING, image=WORKLOAD_IMAGE, cleanup="none", max_shards=2)
    state = stack.finish(run)
    assert state == "success", {
        name: stack.complaint(run, name) for name, state in stack.tasks(run).items() if state == "failed"
    }
    paths = ["/apis/batch/v1/jobs", "/apis/apps/v1/daemonsets", "/api/v1/pods", "/api/v1/configmaps"]
    paths += ["/api/v1/events", "/api/v1/serviceaccounts", "/api/v1/nodes"]
    gate = clouds.google.gate
    objects = {name: [item for path in paths for item in gate.objects(name, path)] for name in gate.clusters}
    kinds = "jobs,daemonsets,pods,configmaps,events,serviceaccounts,nodes"
    local = stack.kubectl("--context", "here", "get", kinds, "--all-namespaces", "--output", "json")
    objects["here"] = json.loads(local)["items"]
    cleanup = stack.trigger("three-places-gone", mapping=MAPPING, cleanup="clusters", stages=["cleanup"])
    assert stack.finish(cleanup) == "success"
    return Finished(run, state, objects)


def test_the_campaign_ends_with_one_merged_plot(stack: Stack, finished: Finished) -> None:
    summary = stack.summary(finished.name)
    expected = {"expected": 6, "done": 6, "failed": 0, "missing": 0}
    assert summary["clusters"] == {
        "on-gke": expected,
        "on-eks": expected | {"expected": 4, "done": 4},
        "here": expected | {"expected": 4, "done": 4},
    }
    assert sorted(summary["datasets"]) == sorted(IN_GCS + IN_S3 + HERE)
    assert stack.output.read(f"{DAG}/{finished.name}/higgs.png").startswith(b"\x89PNG\r\n")


def test_each_cluster_read_from_its_own_store(stack: Stack, finished: Finished) -> None:
    stores = {}
    for key, content in stack.results(finished.name):
        stores[locate(key)[0]] = "/".join(json.loads(content)["url"].split("/")[:3])
    assert stores == dict.fromkeys(IN_GCS, f"gs://{MIRROR}") | dict.fromkeys(IN_S3 + HERE, "s3://higgs-demo")


def test_the_clouds_were_asked_for_clusters_and_to_remove_them(clouds: Clouds, finished: Finished) -> None:
    assert [cluster.name for cluster in clouds.google.created] == ["on-gke"]
    gone = [f"projects/{PROJECT}/locations/europe-west4/clusters/on-gke"]
    assert (clouds.google.deleted, clouds.google.clusters) == (gone, {})
    assert [path for path, _ in clouds.amazon.asked("POST")] == ["/clusters", "/clusters/on-eks/node-groups"]
    assert [path for path, _ in clouds.amazon.asked("DELETE")] == [
        "/clusters/on-eks/node-groups/campaign",
        "/clusters/on-eks",
    ]
    assert clouds.google.gate.clusters == {}


def test_the_pods_ran_on_the_clusters_that_the_clouds_gave(finished: Finished) -> None:
    jobs = {
        name: sorted(item["metadata"]["labels"]["higgsdemo/dataset"] for item in items if _is_job(item))
        for name, items in finished.objects.items()
    }
    assert jobs == {"on-gke": sorted(IN_GCS), "on-eks": sorted(IN_S3), "here": sorted(HERE)}


def test_none_of_the_secrets_is_anywhere_but_in_a_secret(
    stack: Stack, clouds: Clouds, finished: Finished
) -> None:
    secrets = _secrets(stack, clouds)
    assert len(secrets) > 6
    found = {
        (where, name)
        for where, text in _everything(stack, finished)
        for name, secret in secrets.items()
        if secret in text
    }
    assert found == set()


def test_the_scan_would_find_a_secret(stack: Stack, clouds: Clouds, finished: Finished) -> None:
    """The places are the right ones: what is no secret, the run's name and bucket, is found in each."""
    kinds = {where.partition(" ")[0] for where, text in _everything(stack, finished) if finished.name in text}
    assert kinds == {"log", "database", "bucket", "cluster"}


def _is_job(item: dict[str, Any]) -> bool:
    return "completions" in item.get("spec", {})


def _secrets(stack: Stack, clouds: Clouds) -> dict[str, str]:
    """Every secret that the run worked with, and a part of the key that no line break divides."""
    key = clouds.gcs.tokens.key_file()["private_key"].splitlines()
    own = stack.settings.secrets
    secrets = {
        "the S3 server's secret key": own.s3_secret_key,
        "Amazon's secret key": SECRET,
        "the service account's key": key[5],
        "localkube's admin token": stack.settings.localkube_token.read_text().strip(),
        "Airflow's Fernet key": own.fernet_key,
        "Airflow's password": own.ui_password,
    }
    tokens = clouds.google.gate.tokens | set(clouds.gcs.tokens.given)
    return secrets | {f"a token ({number})": token for number, token in enumerate(sorted(tokens))}


def _everything(stack: Stack, finished: Finished) -> Iterator[tuple[str, str]]:
    """Yield what people and programs may read of a run: logs, Airflow's database, bucket, clusters."""
    for folder in (stack.settings.airflow_home / "logs", stack.settings.logs):
        for path in folder.rglob("*"):
            if path.is_file():
                yield f"log {path.relative_to(folder)}", path.read_text(errors="replace")
    yield from _tables(stack.settings.airflow_home / "airflow.db")
    for key, _ in stack.output.objects(f"{DAG}/{finished.name}/"):
        yield f"bucket {key}", stack.output.read(key).decode(errors="replace")
    for name, items in finished.objects.items():
        for item in items:
            yield f"cluster {name} {item['metadata']['name']}", json.dumps(item)


def _tables(path: Path) -> Iterator[tuple[str, str]]:
    """Every row of Airflow's database: XComs, rendered fields, triggers, connections as they are stored."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        tables = database.execute("select name from sqlite_master where type = 'table'").fetchall()
        for (table,) in tables:
            for row in database.execute(f"select * from {table}"):
                yield f"database {table}", " ".join(map(_plain, row))
    finally:
        database.close()


def _plain(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

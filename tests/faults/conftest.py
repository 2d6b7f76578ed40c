"""A real localkube and a real S3 server, each behind a proxy that injects faults, and a run on both."""

import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from urllib3.util import Retry

from fault_proxy import FaultProxy, kubeconfig_through
from higgsdemo.datasets.shards import Shard, dump
from higgsdemo.kubernetes import requests
from higgsdemo.run import ClusterRun
from higgsdemo.run_folder import shards_key
from higgsdemo.storage.object_store import ObjectStore
from higgsdemo.triggers import polling
from localkube_server import Kube, Server, localkube
from planned_runs import THEIRS, dataset, planned
from s3_server import Bucket
from stores import connect


@dataclass
class Site:
    """A cluster and a bucket, each behind its proxy, and one cluster's part of a run that uses them."""

    api: FaultProxy
    store: FaultProxy
    cluster: Kube
    bucket: Bucket
    run: ClusterRun


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One localkube for all faults."""
    with localkube(tmp_path_factory.mktemp("faults")) as running:
        yield running


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses between tries."""
    quick = requests.RETRY.new(backoff_factor=0.01, backoff_jitter=0.01)
    assert isinstance(quick, Retry)
    monkeypatch.setattr(requests, "RETRY", quick)
    monkeypatch.setattr(polling, "LONGEST_PAUSE", 0.05)


@pytest.fixture
def site(
    server: Server, bucket: Bucket, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    name = f"c{abs(hash(request.node.nodeid)) % 10**9}"
    cluster = server.create_cluster(name, cpu="4", memory="32Gi", simulate={"seconds": 0.3})
    tls = ssl.create_default_context(cafile=server.state / "ca.crt")
    with (
        FaultProxy(f"https://127.0.0.1:{server.port}", tls) as api,
        FaultProxy(bucket.environ["AWS_ENDPOINT_URL"]) as store,
    ):
        kubeconfig = json.dumps(kubeconfig_through(api, cluster.kubeconfig))
        theirs = {"conn_type": "kubernetes", "extra": {"kube_config": kubeconfig}}
        connect(monkeypatch, theirs=theirs, store=bucket.connection(store.url))
        yield Site(api, store, cluster, bucket, the_run(bucket))


def the_run(bucket: Bucket) -> ClusterRun:
    """Three shards of one dataset, listed."""
    url = f"s3://{bucket.name}"
    run = planned(
        {"output": f"{url}/out/one", "output_connection": "store", "image": "test/shell:1"},
        THEIRS | {"input_connection": "store", "datasets": [dataset("A", url=f"{url}/A/")]},
    )
    shards = [Shard("A", str(number), f"{url}/A/{number}.root", 1) for number in range(3)]
    ObjectStore(run.run.output, "store").write(shards_key(run.cluster.name), b"".join(map(dump, shards)))
    return run

"""A cluster that people have already: reached by a connection, and never made or removed by us."""

import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from kubernetes_asyncio.client import CoreV1Api as AsyncCoreV1Api

from clouds.gate import Gate
from clouds.tasks import carry_out
from higgsdemo.clusters import ClusterError, Phase, provider_of
from higgsdemo.operators.cluster_life import CreateClusterOperator, DeleteClusterOperator
from higgsdemo.run import ClusterRun
from planned_runs import planned


@pytest.fixture
def kubeconfig(gate: Gate) -> dict[str, Any]:
    """Return the kubeconfig of a cluster of one node, as its only and current context `theirs`."""
    with gate._localkube.admin() as admin:
        made = admin.post("clusters", json={"name": "theirs", "nodes": 1}).json()
    kubeconfig: dict[str, Any] = made["kubeconfig"]
    return kubeconfig


def run(monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any], **cluster: Any) -> ClusterRun:
    document = {"conn_type": "kubernetes", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_THEIRS", json.dumps(document))
    fields = {"provider": "existing", "connection": "theirs", "flavor": None}
    return planned(run={"cleanup": "clusters"}, cluster=fields | cluster)


def test_a_kubeconfig_in_the_connection_leads_to_it(
    kubeconfig: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = run(monkeypatch, {"kube_config": json.dumps(kubeconfig)})
    assert provider_of(there).state().phase == Phase.RUNNING
    assert carry_out(CreateClusterOperator, there) == {
        "cluster_name": "kubecon-demo-0",
        "provider": "existing",
    }


async def test_the_asynchronous_client_reaches_it_too(
    kubeconfig: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = run(monkeypatch, {"kube_config": json.dumps(kubeconfig)})
    async with provider_of(there).connect_async() as api:
        nodes = await AsyncCoreV1Api(api).list_node()
    assert [node.metadata.name for node in nodes.items] == ["theirs-node-0"]


def test_the_location_names_a_context(kubeconfig: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    kubeconfig = kubeconfig | {"current-context": "of-somebody-else"}
    there = run(monkeypatch, {"kube_config": json.dumps(kubeconfig)}, location="theirs")
    assert provider_of(there).state().phase == Phase.RUNNING


def test_it_is_never_deleted(kubeconfig: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    there = run(monkeypatch, {"kube_config": json.dumps(kubeconfig)})
    with pytest.raises(AirflowSkipException, match="no cluster kubecon-demo-0 of ours to delete"):
        carry_out(DeleteClusterOperator, there)
    assert provider_of(there).state().phase == Phase.RUNNING


@pytest.mark.parametrize(
    ("extra", "cluster"),
    [
        ({"in_cluster": True}, {}),
        ({"kube_config_path": "/nowhere/kubeconfig"}, {}),
        ({"kube_config": "{}"}, {"location": "theirs"}),
        ({}, {"connection": "nowhere"}),
    ],
)
def test_a_connection_that_leads_nowhere_is_named(
    extra: dict[str, Any], cluster: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = run(monkeypatch, extra, **cluster)
    named = f"cluster kubecon-demo-0: the Airflow connection '{there.cluster.connection}' cannot be used: "
    with pytest.raises(ClusterError) as refused:
        provider_of(there).state()
    assert str(refused.value).startswith(named)


async def test_the_asynchronous_client_names_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    there = run(monkeypatch, {"in_cluster": True})
    with pytest.raises(ClusterError, match="the Airflow connection 'theirs' cannot be used"):
        async with provider_of(there).connect_async():
            pass

"""A cluster that people have already: reached by a connection, and never made or removed by us."""

import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from clouds.tasks import carry_out
from higgsdemo.clusters import ClusterError, Phase, provider_of
from higgsdemo.operators.cluster_life import CreateClusterOperator, DeleteClusterOperator
from higgsdemo.run import ClusterRun
from localkube_server import Kube
from planned_runs import planned


def run(monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any], **cluster: Any) -> ClusterRun:
    document = {"conn_type": "kubernetes", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_THEIRS", json.dumps(document))
    fields = {"provider": "existing", "connection": "theirs", "flavor": None}
    return planned(run={"cleanup": "clusters"}, cluster=fields | cluster)


def test_a_kubeconfig_in_the_connection_leads_to_it(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    there = run(monkeypatch, {"kube_config": json.dumps(kube.kubeconfig)})
    assert provider_of(there).state().phase == Phase.RUNNING
    assert carry_out(CreateClusterOperator, there) == {
        "cluster_name": "kubecon-demo-0",
        "provider": "existing",
    }


def test_the_location_names_a_context(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    kubeconfig = json.loads(json.dumps(kube.kubeconfig)) | {"current-context": "of-somebody-else"}
    context = kubeconfig["contexts"][0]["name"]
    there = run(monkeypatch, {"kube_config": json.dumps(kubeconfig)}, location=context)
    assert provider_of(there).state().phase == Phase.RUNNING


def test_it_is_never_deleted(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    there = run(monkeypatch, {"kube_config": json.dumps(kube.kubeconfig)})
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

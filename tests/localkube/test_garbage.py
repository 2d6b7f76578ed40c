"""Deletion and owners, as kubernetes.io/docs/concepts/architecture/garbage-collection has them."""

import pytest
from kubernetes.client.exceptions import ApiException

from localkube_server import Kube, eventually, indexed_job, pod, pod_running


def names(kube: Kube, namespace: str) -> list[str]:
    return [one.metadata.name for one in kube.core.list_namespaced_pod(namespace).items]


def start_job(kube: Kube, namespace: str) -> None:
    kube.batch.create_namespaced_job(namespace, indexed_job("j", "sleep 60", 2))
    eventually(lambda: kube.batch.read_namespaced_job("j", namespace).status.ready == 2)


def test_a_namespace_goes_with_all_it_holds(kube: Kube) -> None:
    kube.core.create_namespace({"metadata": {"name": "doomed"}})
    slow = pod("p", "trap 'sleep 1; exit 0' TERM; sleep 60 & wait", terminationGracePeriodSeconds=10)
    kube.core.create_namespaced_pod("doomed", slow)
    start_job(kube, "doomed")
    pod_running(kube, "doomed", "p")
    kube.core.delete_namespace("doomed")
    assert kube.core.read_namespace("doomed").status.phase == "Terminating"
    with pytest.raises(ApiException, match="because it is being terminated") as refused:
        kube.core.create_namespaced_config_map("doomed", {"metadata": {"name": "c"}})
    assert refused.value.status == 403
    eventually(lambda: "doomed" not in [one.metadata.name for one in kube.core.list_namespace().items])
    kube.core.create_namespace({"metadata": {"name": "doomed"}})
    assert kube.core.list_namespaced_pod("doomed").items == []
    assert kube.core.list_namespaced_event("doomed").items == []
    kube.core.delete_namespace("doomed")


@pytest.mark.parametrize("name", ["default", "kube-system"])
def test_the_first_namespaces_must_stay(kube: Kube, name: str) -> None:
    with pytest.raises(ApiException, match="this namespace may not be deleted") as refused:
        kube.core.delete_namespace(name)
    assert refused.value.status == 403

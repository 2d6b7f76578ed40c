"""Deletion and owners, as kubernetes.io/docs/concepts/architecture/garbage-collection has them."""

from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from localkube_server import Kube, eventually, indexed_job, pod, pod_running


def names(kube: Kube, namespace: str) -> list[str]:
    return [one.metadata.name for one in kube.core.list_namespaced_pod(namespace).items]


def start_job(kube: Kube, namespace: str) -> None:
    kube.batch.create_namespaced_job(namespace, indexed_job("j", "sleep 60", 2))
    eventually(lambda: kube.batch.read_namespaced_job("j", namespace).status.ready == 2)


def test_in_the_background_the_dependents_follow(kube: Kube, namespace: str) -> None:
    start_job(kube, namespace)
    kube.batch.delete_namespaced_job("j", namespace, propagation_policy="Background")
    assert kube.batch.list_namespaced_job(namespace).items == []
    eventually(lambda: names(kube, namespace) == [])


def test_in_the_foreground_the_owner_waits_for_its_dependents(kube: Kube, namespace: str) -> None:
    start_job(kube, namespace)
    left = kube.batch.delete_namespaced_job("j", namespace, propagation_policy="Foreground")
    job = kube.batch.read_namespaced_job("j", namespace)
    assert left.status is not None
    assert job.metadata.finalizers == ["foregroundDeletion"]
    assert job.metadata.deletion_timestamp is not None

    def consistent() -> bool:
        jobs = kube.batch.list_namespaced_job(namespace).items
        assert jobs or not names(kube, namespace), "the Job went before its pods"
        return not jobs

    eventually(consistent)


def test_orphans_stay_without_their_owner(kube: Kube, namespace: str) -> None:
    start_job(kube, namespace)
    kube.batch.delete_namespaced_job("j", namespace, propagation_policy="Orphan")
    eventually(lambda: kube.batch.list_namespaced_job(namespace).items == [])
    pods = kube.core.list_namespaced_pod(namespace).items
    assert [one.metadata.owner_references for one in pods] == [None, None]
    eventually(
        lambda: not any(one.metadata.finalizers for one in kube.core.list_namespaced_pod(namespace).items)
    )


def test_a_job_deleted_without_a_policy_leaves_its_pods_and_warns(kube: Kube, namespace: str) -> None:
    start_job(kube, namespace)
    answer = kube.http.delete(f"apis/batch/v1/namespaces/{namespace}/jobs/j")
    assert "child pods are preserved by default when jobs are deleted" in answer.headers["Warning"]
    eventually(lambda: kube.batch.list_namespaced_job(namespace).items == [])
    assert len(names(kube, namespace)) == 2


def test_what_names_an_owner_that_is_not_there_is_deleted(kube: Kube, namespace: str) -> None:
    owner = kube.core.create_namespaced_config_map(namespace, {"metadata": {"name": "owner"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid}
    for name, owners in {
        "kept": [reference],
        "dangling": [{**reference, "uid": "none"}],
        "half": [reference, {**reference, "uid": "none"}],
    }.items():
        kube.core.create_namespaced_secret(namespace, {"metadata": {"name": name, "ownerReferences": owners}})

    def left() -> list[str]:
        return [one.metadata.name for one in kube.core.list_namespaced_secret(namespace).items]

    eventually(lambda: left() == ["half", "kept"])
    kube.core.delete_namespaced_config_map("owner", namespace)
    eventually(lambda: left() == [])


def test_a_finalizer_keeps_an_object_until_it_is_removed(kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_config_map(
        namespace, {"metadata": {"name": "c", "finalizers": ["example.org/x"]}}
    )
    kube.core.delete_namespaced_config_map("c", namespace)
    assert kube.core.read_namespaced_config_map("c", namespace).metadata.deletion_timestamp is not None
    kube.core.patch_namespaced_config_map("c", namespace, {"metadata": {"finalizers": None}})
    with pytest.raises(ApiException) as gone:
        kube.core.read_namespaced_config_map("c", namespace)
    assert gone.value.status == 404


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


def test_a_namespace_has_a_service_account_and_the_authority(kube: Kube, namespace: str) -> None:
    def found() -> tuple[list[Any], list[Any]]:
        accounts = kube.core.list_namespaced_service_account(namespace).items
        maps = kube.core.list_namespaced_config_map(namespace).items
        return [one.metadata.name for one in accounts], [one.metadata.name for one in maps]

    eventually(lambda: found() == (["default"], ["kube-root-ca.crt"]))
    kube.core.delete_namespaced_service_account("default", namespace)
    eventually(lambda: found() == (["default"], ["kube-root-ca.crt"]))


def test_an_unknown_policy_is_refused(kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_config_map(namespace, {"metadata": {"name": "c"}})
    with pytest.raises(ApiException, match="supported values") as refused:
        kube.core.delete_namespaced_config_map("c", namespace, propagation_policy="Slowly")
    assert refused.value.status == 422

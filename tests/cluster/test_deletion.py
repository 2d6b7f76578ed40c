"""Deletion, owners and namespaces.

The authority: kubernetes.io/docs/concepts/architecture/garbage-collection ("Garbage collection" below).
"""

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from kube_client import Kube
from space import SLEEP, Space, soon


def all_pods(space: Space) -> list[Any]:
    """Return the pods of the test, also those on their way out."""
    listed = space.kube.core.list_namespaced_pod(space.namespace, label_selector=space.selector)
    return list(listed.items)


def jobs(space: Space) -> list[Any]:
    listed = space.kube.batch.list_namespaced_job(space.namespace, label_selector=space.selector)
    return list(listed.items)


def start_job(space: Space) -> None:
    space.make(space.indexed_job(SLEEP, 2))
    space.ready_pods(2)


def test_in_the_background_the_dependents_follow(space: Space) -> None:
    """Garbage collection, Background cascading deletion: the owner is gone at once."""
    start_job(space)
    space.kube.batch.delete_namespaced_job(space.test, space.namespace, propagation_policy="Background")
    assert jobs(space) == []
    soon(lambda: all_pods(space) == [])


def test_in_the_foreground_the_owner_waits_for_its_dependents(space: Space) -> None:
    """Garbage collection, Foreground cascading deletion."""
    start_job(space)
    space.kube.batch.delete_namespaced_job(space.test, space.namespace, propagation_policy="Foreground")
    job = space.job_now()
    assert job.metadata.finalizers == ["foregroundDeletion"]
    assert job.metadata.deletion_timestamp is not None

    def consistent() -> bool:
        left = jobs(space)
        assert left or not all_pods(space), "the Job went before its pods"
        return not left

    soon(consistent)


@pytest.mark.parametrize("policy", ["Orphan", None])
def test_orphans_stay_without_their_owner(space: Space, policy: str | None) -> None:
    """Garbage collection, Orphaned dependents.

    Surprising: it is the default of batch/v1 Jobs, of all others it is Background; the API warns of it.
    """
    start_job(space)
    query = {"propagationPolicy": policy} if policy else {}
    answer = space.kube.http.delete(space.path("Job", space.test), params=query)
    warned = "child pods are preserved by default when jobs are deleted" in answer.headers.get("Warning", "")
    assert warned == (policy is None)
    soon(lambda: jobs(space) == [])
    assert [one.metadata.owner_references for one in all_pods(space)] == [None, None]
    soon(lambda: not any(one.metadata.finalizers for one in all_pods(space)))


def test_what_names_an_owner_that_is_not_there_is_deleted(space: Space) -> None:
    """Garbage collection, Owners and dependents: it stays while one of its owners does."""
    owner = space.make(space.config_map("owner"))
    named = {"name": owner.metadata.name, "uid": owner.metadata.uid}
    there = {"apiVersion": "v1", "kind": "ConfigMap", **named}
    gone = there | {"name": f"{space.test}-gone", "uid": "00000000-0000-0000-0000-000000000000"}
    for name, owners in {"kept": [there], "dangling": [gone], "half": [there, gone]}.items():
        body = space.secret(name)
        body["metadata"]["ownerReferences"] = owners
        space.make(body)

    def left() -> list[str]:
        found = space.kube.core.list_namespaced_secret(space.namespace, label_selector=space.selector).items
        return [one.metadata.name.rpartition("-")[2] for one in found]

    soon(lambda: left() == ["half", "kept"])
    space.kube.core.delete_namespaced_config_map(owner.metadata.name, space.namespace)
    soon(lambda: left() == [])


def test_a_finalizer_keeps_an_object_until_it_is_removed(space: Space) -> None:
    """kubernetes.io/docs/concepts/overview/working-with-objects/finalizers."""
    core, body = space.kube.core, space.config_map()
    body["metadata"]["finalizers"] = ["example.org/x"]
    space.make(body)
    core.delete_namespaced_config_map(space.test, space.namespace)
    held = core.read_namespaced_config_map(space.test, space.namespace)
    assert held.metadata.deletion_timestamp is not None
    core.patch_namespaced_config_map(space.test, space.namespace, {"metadata": {"finalizers": None}})
    with pytest.raises(ApiException) as missing:
        core.read_namespaced_config_map(space.test, space.namespace)
    assert missing.value.status == 404


def test_an_unknown_policy_is_refused(space: Space) -> None:
    space.make(space.config_map())
    path = space.path("ConfigMap", space.test)
    refused = space.kube.http.delete(path, params={"propagationPolicy": "Slowly"}).json()
    assert (refused["code"], refused["reason"]) == (422, "Invalid")
    assert 'Unsupported value: "Slowly"' in refused["message"]


@pytest.fixture
def second_namespace(kube: Kube) -> Iterator[str]:
    name = kube.core.create_namespace({"metadata": {"generateName": "higgs-suite-"}}).metadata.name
    yield name
    if name in names(kube):
        kube.core.delete_namespace(name)


def names(kube: Kube) -> list[str]:
    return [one.metadata.name for one in kube.core.list_namespace().items]


def test_a_namespace_goes_with_all_it_holds(space: Space, second_namespace: str) -> None:
    """kubernetes.io/docs/concepts/overview/working-with-objects/namespaces."""
    doomed = Space(space.kube, second_namespace, space.image, space.test)
    core = space.kube.core
    soon(lambda: core.list_namespaced_service_account(second_namespace).items, "its service account")
    script = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(3), sys.exit()))\n"
        "print('ready', flush=True); time.sleep(600)"
    )
    doomed.make(doomed.pod(script, "slow", terminationGracePeriodSeconds=30))
    doomed.make(doomed.config_map())
    doomed.running_pod("slow")
    soon(lambda: "ready" in doomed.log("slow"))
    core.delete_namespace(second_namespace)
    assert core.read_namespace(second_namespace).status.phase == "Terminating"
    refused = doomed.refusal(doomed.config_map("late"))
    assert (refused["code"], refused["reason"]) == (403, "Forbidden")
    assert "because it is being terminated" in refused["message"]
    assert refused["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    soon(lambda: second_namespace not in names(space.kube))


@pytest.mark.parametrize("name", ["default", "kube-system"])
def test_the_first_namespaces_must_stay(kube: Kube, name: str) -> None:
    """Admission Control, NamespaceLifecycle."""
    with pytest.raises(ApiException, match="this namespace may not be deleted") as refused:
        kube.core.delete_namespace(name, dry_run="All")
    assert refused.value.status == 403


def test_a_namespace_has_a_service_account_and_the_authority(space: Space) -> None:
    """kubernetes.io/docs/concepts/security/service-accounts: the default one comes back."""
    core = space.kube.core

    def found() -> tuple[bool, bool]:
        accounts = core.list_namespaced_service_account(space.namespace).items
        maps = core.list_namespaced_config_map(space.namespace).items
        return (
            "default" in [one.metadata.name for one in accounts],
            "kube-root-ca.crt" in [one.metadata.name for one in maps],
        )

    soon(lambda: found() == (True, True))
    core.delete_namespaced_service_account("default", space.namespace)
    soon(lambda: found() == (True, True))

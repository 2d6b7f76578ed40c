"""The verbs, as kubernetes.io/docs/reference/using-api/api-concepts has them, over the official client."""

import base64
from typing import Any

import pytest

from localkube_server import Kube, pod

MERGE_PATCH = "application/merge-patch+json"


def configmap(name: str, data: dict[str, str] | None = None, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}, "data": data or {}}


def names(found: Any) -> list[str]:
    return [one.metadata.name for one in found.items if one.metadata.name != "kube-root-ca.crt"]


@pytest.mark.parametrize(
    "path",
    [
        "apis/apps/v1/namespaces/default/deployments",
        "api/v1/namespaces/default/nodes",
        "nothing",
    ],
)
def test_an_api_that_is_not_served_does_not_exist(kube: Kube, path: str) -> None:
    answer = kube.http.get(path)
    assert (answer.status_code, answer.json()["reason"]) == (404, "NotFound")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("POST", "api/v1/namespaces/default/pods/x/exec", 501),
        ("POST", "api/v1/namespaces/default/serviceaccounts/default/token", 501),
        ("DELETE", "api/v1/namespaces", 405),
        ("POST", "api/v1/namespaces/default/pods/x/status", 405),
    ],
)
def test_a_verb_that_is_not_served_is_refused(kube: Kube, method: str, path: str, code: int) -> None:
    assert kube.http.request(method, path, json={}).json()["code"] == code


def test_a_write_that_changes_nothing_makes_no_new_version(kube: Kube, namespace: str) -> None:
    made = kube.core.create_namespaced_config_map(namespace, configmap("a", {"x": "1"}))
    again = kube.core.replace_namespaced_config_map("a", namespace, made)
    assert again.metadata.resource_version == made.metadata.resource_version


@pytest.mark.parametrize(
    ("kind", "patch", "code"),
    [
        (MERGE_PATCH, ["x"], 400),
        ("application/apply-patch+yaml", {}, 415),
    ],
)
def test_a_bad_patch_is_refused(kube: Kube, namespace: str, kind: str, patch: Any, code: int) -> None:
    kube.core.create_namespaced_config_map(namespace, configmap("a", {"x": "1"}))
    path = f"api/v1/namespaces/{namespace}/configmaps/a"
    answer = kube.http.patch(path, headers={"Content-Type": kind}, json=patch)
    assert answer.json()["code"] == code


def test_an_unknown_page_has_expired(kube: Kube, namespace: str) -> None:
    token = base64.urlsafe_b64encode(b'["forgotten", 2]').decode()
    answer = kube.http.get(f"api/v1/namespaces/{namespace}/pods", params={"continue": token})
    assert (answer.status_code, answer.json()["reason"]) == (410, "Expired")
    assert kube.http.get(f"api/v1/namespaces/{namespace}/pods", params={"continue": "%"}).status_code == 400


def test_a_collection_is_deleted_by_selector_and_limit(kube: Kube, namespace: str) -> None:
    for name in ("a", "b", "c"):
        kube.core.create_namespaced_config_map(namespace, configmap(name, mine="yes"))
    kube.core.create_namespaced_config_map(namespace, configmap("stranger"))
    kube.core.delete_collection_namespaced_config_map(namespace, label_selector="mine=yes", limit=2)
    assert names(kube.core.list_namespaced_config_map(namespace)) == ["c", "stranger"]
    kube.core.delete_collection_namespaced_config_map(namespace, label_selector="mine=yes")
    assert names(kube.core.list_namespaced_config_map(namespace)) == ["stranger"]


def test_the_status_is_a_resource_of_its_own(kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_pod(namespace, pod("p", "sleep 60"))
    kube.core.patch_namespaced_pod("p", namespace, {"status": {"message": "from the pod"}})
    assert kube.core.read_namespaced_pod("p", namespace).status.message is None
    kube.core.patch_namespaced_pod_status(
        "p", namespace, {"status": {"message": "from the status"}, "metadata": {"labels": {"x": "y"}}}
    )
    changed = kube.core.read_namespaced_pod_status("p", namespace)
    assert changed.metadata.labels is None


def test_discovery_names_every_resource(kube: Kube) -> None:
    assert kube.version.get_code().git_version.startswith("v1.36.0+localkube")
    listed = {one.name: one.kind for one in kube.core.get_api_resources().resources}
    assert listed == {
        "namespaces": "Namespace",
        "namespaces/status": "Namespace",
        "nodes": "Node",
        "nodes/status": "Node",
        "pods": "Pod",
        "pods/status": "Pod",
        "pods/log": "Pod",
        "pods/eviction": "Eviction",
        "configmaps": "ConfigMap",
        "secrets": "Secret",
        "serviceaccounts": "ServiceAccount",
        "events": "Event",
    }
    assert [one.name for one in kube.batch.get_api_resources().resources] == ["jobs", "jobs/status"]

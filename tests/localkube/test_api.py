"""The verbs, as kubernetes.io/docs/reference/using-api/api-concepts has them, over the official client."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from localkube_server import Kube, pod

FIRST_CONTAINER = "spec.containers[0]"


def configmap(name: str, data: dict[str, str] | None = None, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}, "data": data or {}}


def names(found: Any) -> list[str]:
    return [one.metadata.name for one in found.items if one.metadata.name != "kube-root-ca.crt"]


@pytest.mark.parametrize(
    ("method", "path", "kind", "code"),
    [
        ("POST", "pods/x/exec", "application/json", 501),
        ("POST", "serviceaccounts/default/token", "application/json", 501),
        ("PATCH", "configmaps/kube-root-ca.crt", "application/apply-patch+yaml", 415),
    ],
)
def test_a_verb_that_localkube_has_not_is_refused(
    kube: Kube, method: str, path: str, kind: str, code: int
) -> None:
    path, headers = f"api/v1/namespaces/default/{path}", {"Content-Type": kind}
    assert kube.http.request(method, path, json={}, headers=headers).json()["code"] == code


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "x"}}]}, "spec.volumes[0]"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/x", "type": "Socket"}}]}, "spec.volumes[0]"),
        ({"initContainers": [{"name": "s", "image": "x", "restartPolicy": "Always"}]}, "spec.initCont"),
        ({"schedulerName": "mine"}, "spec.schedulerName"),
        ({"runtimeClassName": "gvisor"}, "spec.runtimeClassName"),
        ({"resources": {"limits": {"memory": "1Gi"}}}, "spec.resources"),
        ({"schedulingGates": [{"name": "gate"}]}, "spec.schedulingGates"),
        (
            {"container": {"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}},
            f"{FIRST_CONTAINER}.lifecycle",
        ),
        (
            {"container": {"volumeDevices": [{"name": "a", "devicePath": "/dev/x"}]}},
            f"{FIRST_CONTAINER}.volumeDevices",
        ),
    ],
)
def test_what_pods_have_and_localkube_has_not_is_refused_by_name(
    kube: Kube, namespace: str, spec: dict[str, Any], field: str
) -> None:
    body = pod("p", "true", **spec)
    refused = kube.http.post(f"api/v1/namespaces/{namespace}/pods", json=body).json()
    assert refused["code"] == 422
    assert refused["details"]["causes"][0]["field"].startswith(field)


def test_a_taint_that_would_evict_is_refused(kube: Kube) -> None:
    taint = {"spec": {"taints": [{"key": "k", "value": "v", "effect": "NoExecute"}]}}
    with pytest.raises(ApiException, match=r"spec.taints\[0\].effect: Unsupported value") as refused:
        kube.core.patch_node("shared-node-0", taint)
    assert refused.value.status == 422


def test_only_the_present_version_is_had_exactly(kube: Kube, namespace: str) -> None:
    """Of the past nothing is kept but what watches need: the documented answer is 410, never another list."""
    path = f"api/v1/namespaces/{namespace}/configmaps"
    version = kube.http.get(path).json()["metadata"]["resourceVersion"]
    kube.core.create_namespaced_config_map(namespace, configmap("a"))
    exactly = {"resourceVersion": version, "resourceVersionMatch": "Exact"}
    assert kube.http.get(path, params=exactly).json()["reason"] == "Expired"


def test_a_page_is_of_its_collection_only(kube: Kube, namespace: str) -> None:
    for name in ("a", "b"):
        kube.core.create_namespaced_config_map(namespace, configmap(name))
    first = kube.core.list_namespaced_config_map(namespace, limit=1)
    answer = kube.http.get("api/v1/nodes", params={"continue": first.metadata._continue})
    assert answer.json()["reason"] == "Expired"


def test_a_watcher_that_selects_gets_bookmarks_in_a_busy_collection(kube: Kube, namespace: str) -> None:
    """Two seconds before its end a watch gets the last one, as from a genuine API server."""
    path = f"api/v1/namespaces/{namespace}/configmaps"
    query = {"watch": "1", "labelSelector": "a=b", "allowWatchBookmarks": "true", "timeoutSeconds": "4"}
    made = kube.core.create_namespaced_config_map(namespace, configmap("busy"))

    def keep_busy() -> None:
        for number in range(50):
            kube.core.patch_namespaced_config_map("busy", namespace, {"data": {"n": str(number)}})
            time.sleep(0.1)

    with ThreadPoolExecutor() as pool, kube.http.stream("GET", path, params=query) as answer:
        busy, began = pool.submit(keep_busy), time.monotonic()
        lines = answer.iter_lines()
        event, took = json.loads(next(lines)), time.monotonic() - began
        assert list(lines) == []
        busy.result()
    assert (event["type"], took < 3) == ("BOOKMARK", True)
    assert int(event["object"]["metadata"]["resourceVersion"]) > int(made.metadata.resource_version)


def test_a_write_that_changes_nothing_makes_no_new_version(kube: Kube, namespace: str) -> None:
    made = kube.core.create_namespaced_config_map(namespace, configmap("a", {"x": "1"}))
    again = kube.core.replace_namespaced_config_map("a", namespace, made)
    assert again.metadata.resource_version == made.metadata.resource_version


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
        "resourcequotas": "ResourceQuota",
        "resourcequotas/status": "ResourceQuota",
    }
    assert [one.name for one in kube.batch.get_api_resources().resources] == ["jobs", "jobs/status"]

"""The verbs, as kubernetes.io/docs/reference/using-api/api-concepts has them, over the official client."""

import base64
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from localkube_server import SHELL, Kube, eventually, pod

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"


def configmap(name: str, data: dict[str, str] | None = None, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}, "data": data or {}}


def names(found: Any) -> list[str]:
    return [one.metadata.name for one in found.items if one.metadata.name != "kube-root-ca.crt"]


def test_a_created_object_gets_what_only_the_server_gives(kube: Kube, namespace: str) -> None:
    made = kube.core.create_namespaced_config_map(namespace, configmap("a", {"x": "1"}, app="t"))
    assert made.to_dict()["data"] == {"x": "1"}
    assert made.metadata.namespace == namespace
    assert len(made.metadata.uid) == 36
    assert int(made.metadata.resource_version) > 0
    assert made.metadata.creation_timestamp.tzinfo is not None
    assert kube.core.read_namespaced_config_map("a", namespace) == made


def test_a_generated_name_is_the_prefix_and_five_characters(kube: Kube, namespace: str) -> None:
    made = kube.core.create_namespaced_config_map(namespace, {"metadata": {"generateName": "chunk-"}})
    assert made.metadata.name.startswith("chunk-")
    assert len(made.metadata.name) == len("chunk-") + 5


def test_a_duplicate_is_refused(kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_config_map(namespace, configmap("a"))
    answer = kube.http.post(f"api/v1/namespaces/{namespace}/configmaps", json=configmap("a"))
    assert answer.json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'configmaps "a" already exists',
        "reason": "AlreadyExists",
        "details": {"name": "a", "kind": "configmaps"},
        "code": 409,
    }


def test_what_is_not_there_is_not_found(kube: Kube, namespace: str) -> None:
    answer = kube.http.get(f"api/v1/namespaces/{namespace}/pods/none")
    assert (answer.status_code, answer.json()["reason"]) == (404, "NotFound")
    assert answer.json()["details"] == {"name": "none", "kind": "pods"}


@pytest.mark.parametrize(
    "path",
    [
        "apis/apps/v1/namespaces/default/deployments",
        "api/v2/pods",
        "apis/batch/v1beta1/jobs",
        "api/v1/namespaces/default/nodes",
        "openapi/v2",
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
        ("PUT", "api/v1/namespaces/default/pods", 405),
        ("POST", "api/v1/namespaces/default/pods/x", 405),
        ("DELETE", "api/v1/namespaces", 405),
        ("POST", "api/v1/namespaces/default/pods/x/status", 405),
    ],
)
def test_a_verb_that_is_not_served_is_refused(kube: Kube, method: str, path: str, code: int) -> None:
    assert kube.http.request(method, path, json={}).json()["code"] == code


def test_a_stale_write_is_a_conflict(kube: Kube, namespace: str) -> None:
    first = kube.core.create_namespaced_config_map(namespace, configmap("a", {"x": "1"}))
    kube.core.replace_namespaced_config_map("a", namespace, configmap("a", {"x": "2"}))
    first.data = {"x": "3"}
    with pytest.raises(ApiException, match="the object has been modified") as refused:
        kube.core.replace_namespaced_config_map("a", namespace, first)
    assert refused.value.status == 409
    assert kube.core.read_namespaced_config_map("a", namespace).data == {"x": "2"}


def test_a_write_that_changes_nothing_makes_no_new_version(kube: Kube, namespace: str) -> None:
    made = kube.core.create_namespaced_config_map(namespace, configmap("a", {"x": "1"}))
    again = kube.core.replace_namespaced_config_map("a", namespace, made)
    assert again.metadata.resource_version == made.metadata.resource_version


def test_an_update_keeps_what_only_the_server_sets(kube: Kube, namespace: str) -> None:
    made = kube.core.create_namespaced_config_map(namespace, configmap("a"))
    changed = kube.core.replace_namespaced_config_map("a", namespace, configmap("a", {"x": "2"}, new="label"))
    assert changed.metadata.uid == made.metadata.uid
    assert changed.metadata.creation_timestamp == made.metadata.creation_timestamp
    assert changed.metadata.labels == {"new": "label"}


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        (
            JSON_PATCH,
            [{"op": "replace", "path": "/data/x", "value": "2"}, {"op": "remove", "path": "/data/y"}],
        ),
        (MERGE_PATCH, {"data": {"x": "2", "y": None}}),
        (STRATEGIC_PATCH, {"data": {"x": "2", "y": None}}),
    ],
)
def test_an_object_is_patched(kube: Kube, namespace: str, kind: str, patch: Any) -> None:
    kube.core.create_namespaced_config_map(namespace, configmap("a", {"x": "1", "y": "1"}))
    path = f"api/v1/namespaces/{namespace}/configmaps/a"
    answer = kube.http.patch(path, headers={"Content-Type": kind}, json=patch)
    assert answer.json()["data"] == {"x": "2"}


@pytest.mark.parametrize(
    ("kind", "patch", "code"),
    [
        (JSON_PATCH, [{"op": "replace", "path": "/data/none", "value": "2"}], 422),
        (JSON_PATCH, [{"op": "test", "path": "/data/x", "value": "2"}], 422),
        (JSON_PATCH, [{"op": "grow", "path": "/data"}], 400),
        (MERGE_PATCH, ["x"], 400),
        (MERGE_PATCH, {"metadata": {"name": "b"}}, 400),
        ("application/apply-patch+yaml", {}, 415),
        ("application/json", {}, 415),
    ],
)
def test_a_bad_patch_is_refused(kube: Kube, namespace: str, kind: str, patch: Any, code: int) -> None:
    kube.core.create_namespaced_config_map(namespace, configmap("a", {"x": "1"}))
    path = f"api/v1/namespaces/{namespace}/configmaps/a"
    answer = kube.http.patch(path, headers={"Content-Type": kind}, json=patch)
    assert answer.json()["code"] == code


def test_labels_select(kube: Kube, namespace: str) -> None:
    for name, labels in {"a": {"app": "x"}, "b": {"app": "y", "tier": "1"}, "c": {}}.items():
        kube.core.create_namespaced_config_map(namespace, configmap(name, **labels))
    for selector, selected in {
        "app": ["a", "b"],
        "!app": ["c"],
        "app=x": ["a"],
        "app!=x": ["b", "c"],
        "app in (x, y),tier=1": ["b"],
        "app notin (y)": ["a", "c"],
    }.items():
        found = kube.core.list_namespaced_config_map(namespace, label_selector=selector)
        assert names(found) == selected, selector


def test_fields_select(kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_config_map(namespace, configmap("a"))
    kube.core.create_namespaced_config_map(namespace, configmap("b"))
    assert names(kube.core.list_namespaced_config_map(namespace, field_selector="metadata.name=b")) == ["b"]
    assert names(kube.core.list_namespaced_config_map(namespace, field_selector="metadata.name!=b")) == ["a"]
    with pytest.raises(ApiException, match=r"field label not supported: data\.x") as refused:
        kube.core.list_namespaced_config_map(namespace, field_selector="data.x=1")
    assert refused.value.status == 400


def test_pages_are_of_one_moment(kube: Kube, namespace: str) -> None:
    for number in range(5):
        kube.core.create_namespaced_config_map(namespace, configmap(f"c{number}", app="paged"))
    page = kube.core.list_namespaced_config_map(namespace, label_selector="app=paged", limit=2)
    assert names(page) == ["c0", "c1"]
    assert page.metadata.remaining_item_count == 3
    kube.core.delete_namespaced_config_map("c3", namespace)
    kube.core.create_namespaced_config_map(namespace, configmap("c9", app="paged"))
    seen, version = names(page), page.metadata.resource_version
    while page.metadata._continue:
        page = kube.core.list_namespaced_config_map(
            namespace, label_selector="app=paged", limit=2, _continue=page.metadata._continue
        )
        assert page.metadata.resource_version == version
        seen += names(page)
    assert seen == ["c0", "c1", "c2", "c3", "c4"]


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


def test_a_dry_run_stores_nothing(kube: Kube, namespace: str) -> None:
    made = kube.core.create_namespaced_config_map(namespace, configmap("a", {"x": "1"}), dry_run="All")
    assert made.data == {"x": "1"}
    assert names(kube.core.list_namespaced_config_map(namespace)) == []
    kube.core.create_namespaced_config_map(namespace, configmap("a", {"x": "1"}))
    patched = kube.core.patch_namespaced_config_map("a", namespace, {"data": {"x": "2"}}, dry_run="All")
    assert patched.data == {"x": "2"}
    kube.core.delete_namespaced_config_map("a", namespace, dry_run="All")
    assert kube.core.read_namespaced_config_map("a", namespace).data == {"x": "1"}


def test_a_deletion_checks_its_preconditions(kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_config_map(namespace, configmap("a"))
    with pytest.raises(ApiException) as refused:
        kube.core.delete_namespaced_config_map("a", namespace, body={"preconditions": {"uid": "other"}})
    assert refused.value.status == 409
    deleted = kube.core.delete_namespaced_config_map("a", namespace)
    assert (deleted.status, deleted.details.name, deleted.details.kind) == ("Success", "a", "configmaps")


def test_the_status_is_a_resource_of_its_own(kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_pod(namespace, pod("p", "sleep 60"))
    kube.core.patch_namespaced_pod("p", namespace, {"status": {"message": "from the pod"}})
    assert kube.core.read_namespaced_pod("p", namespace).status.message is None
    kube.core.patch_namespaced_pod_status(
        "p", namespace, {"status": {"message": "from the status"}, "metadata": {"labels": {"x": "y"}}}
    )
    changed = kube.core.read_namespaced_pod_status("p", namespace)
    assert changed.metadata.labels is None


def test_only_metadata_is_sent_when_only_metadata_is_asked_for(kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_config_map(namespace, configmap("a", {"x": "1"}, app="meta"))
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    listed = kube.http.get(
        f"api/v1/namespaces/{namespace}/configmaps?labelSelector=app=meta", headers={"Accept": accept}
    ).json()
    assert listed["kind"] == "PartialObjectMetadataList"
    assert [set(one) for one in listed["items"]] == [{"kind", "apiVersion", "metadata"}]


def test_nothing_is_made_in_a_namespace_that_is_not_there(kube: Kube) -> None:
    with pytest.raises(ApiException, match=r"namespaces ..nowhere.. not found") as refused:
        kube.core.create_namespaced_config_map("nowhere", configmap("a"))
    assert refused.value.status == 404


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


def test_an_eviction_deletes_the_pod(kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_pod(namespace, pod("p", "sleep 60"))
    kube.core.create_namespaced_pod_eviction("p", namespace, {"metadata": {"name": "p"}})
    eventually(lambda: kube.core.list_namespaced_pod(namespace).items == [])


def test_a_pod_gets_the_defaults_of_kubernetes(kube: Kube, namespace: str) -> None:
    container = {
        "name": "main",
        "image": SHELL,
        "args": ["true"],
        "resources": {"limits": {"cpu": 1, "memory": "1Gi"}},
    }
    made = kube.core.create_namespaced_pod(
        namespace, {"metadata": {"name": "p"}, "spec": {"containers": [container], "restartPolicy": "Never"}}
    )
    main = made.spec.containers[0]
    assert main.resources.requests == main.resources.limits == {"cpu": "1", "memory": "1Gi"}
    assert (main.image_pull_policy, main.termination_message_policy) == ("IfNotPresent", "File")
    assert (made.spec.termination_grace_period_seconds, made.spec.service_account_name) == (30, "default")
    assert (made.status.phase, made.status.qos_class) == ("Pending", "Guaranteed")

"""Objects and verbs.

The authority: kubernetes.io/docs/reference/using-api/api-concepts ("API concepts" below), the API reference.
"""

import ssl
from typing import Any

import httpx
import pytest
from kubernetes.client.exceptions import ApiException

from kube_client import Kube
from space import Space, soon


def names(found: Any) -> list[str]:
    return [one.metadata.name.rpartition("-")[2] for one in found.items]


def config_maps(space: Space, **query: Any) -> Any:
    query["label_selector"] = ",".join([space.selector, *filter(None, [query.get("label_selector")])])
    return space.kube.core.list_namespaced_config_map(space.namespace, **query)


def test_the_cluster_is_of_version_1_33_or_later(kube: Kube) -> None:
    assert kube.version.get_code().major == "1"
    assert kube.minor >= 33


def test_discovery_names_what_the_project_uses(kube: Kube) -> None:
    core = {f"{one.name} {one.kind}" for one in kube.core.get_api_resources().resources}
    pods = {"pods Pod", "pods/status Pod", "pods/log Pod", "pods/eviction Eviction"}
    others = {"configmaps ConfigMap", "secrets Secret", "serviceaccounts ServiceAccount", "events Event"}
    assert core >= {"namespaces Namespace", "nodes Node", *pods, *others}
    assert {one.name for one in kube.batch.get_api_resources().resources} >= {"jobs", "jobs/status"}
    assert {one.name for one in kube.apps.get_api_resources().resources} >= {"daemonsets"}


def test_a_created_object_gets_what_only_the_server_gives(space: Space) -> None:
    made = space.make(space.config_map(data={"x": "1"}))
    assert (made.data, made.metadata.namespace) == ({"x": "1"}, space.namespace)
    assert len(made.metadata.uid) == 36
    assert int(made.metadata.resource_version) > 0
    assert made.metadata.creation_timestamp.tzinfo is not None
    assert space.kube.core.read_namespaced_config_map(space.test, space.namespace) == made


def test_a_generated_name_is_the_prefix_and_five_characters(space: Space) -> None:
    body = space.config_map()
    body["metadata"] = {"generateName": f"{space.test}-", "labels": body["metadata"]["labels"]}
    made = space.make(body).metadata.name
    assert made.startswith(f"{space.test}-")
    assert len(made) == len(space.test) + 1 + 5


def test_a_duplicate_is_refused(space: Space) -> None:
    space.make(space.config_map())
    failure = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 409}
    told = {"reason": "AlreadyExists", "message": f'configmaps "{space.test}" already exists'}
    details = {"name": space.test, "kind": "configmaps"}
    assert space.refusal(space.config_map()) == failure | told | {"details": details}


def test_what_is_not_there_is_not_found(space: Space) -> None:
    answer = space.kube.http.get(space.path("Pod", space.test))
    assert (answer.status_code, answer.json()["reason"]) == (404, "NotFound")
    assert answer.json()["details"] == {"name": space.test, "kind": "pods"}


@pytest.mark.parametrize("path", ["api/v2/pods", "apis/batch/v1beta0/jobs", "apis/higgs.example/v1/jobs"])
def test_an_api_that_is_not_served_does_not_exist(kube: Kube, path: str) -> None:
    assert kube.http.get(path).status_code == 404


@pytest.mark.parametrize(("method", "name"), [("PUT", ""), ("POST", "x")])
def test_a_verb_that_is_not_served_is_refused(space: Space, method: str, name: str) -> None:
    answer = space.kube.http.request(method, space.path("ConfigMap", name), json=space.config_map())
    assert (answer.status_code, answer.json()["reason"]) == (405, "MethodNotAllowed")


def test_nothing_is_made_in_a_namespace_that_is_not_there(kube: Kube, space: Space) -> None:
    with pytest.raises(ApiException, match=r"namespaces ..nowhere-at-all.. not found") as refused:
        kube.core.create_namespaced_config_map("nowhere-at-all", {"metadata": {"name": "a"}})
    assert refused.value.status == 404


def test_a_token_that_is_not_good_is_unauthorized(kube: Kube) -> None:
    """kubernetes.io/docs/reference/access-authn-authz/authentication: a bad token is 401, not anonymous."""
    authority = kube.client.configuration.ssl_ca_cert
    trust = ssl.create_default_context(cafile=authority)  # no client's certificate
    headers = {"Authorization": "Bearer ended-long-ago"}
    answer = httpx.get(f"{kube.url}/api/v1/pods", headers=headers, verify=trust, timeout=30)
    assert (answer.status_code, answer.json()["reason"]) == (401, "Unauthorized")


def test_a_stale_write_is_a_conflict(space: Space) -> None:
    """API concepts, Resource versions: an update must be of the version that is stored."""
    core, first = space.kube.core, space.make(space.config_map(data={"x": "1"}))
    core.replace_namespaced_config_map(space.test, space.namespace, space.config_map(data={"x": "2"}))
    first.data = {"x": "3"}
    with pytest.raises(ApiException, match="the object has been modified") as refused:
        core.replace_namespaced_config_map(space.test, space.namespace, first)
    assert refused.value.status == 409
    assert core.read_namespaced_config_map(space.test, space.namespace).data == {"x": "2"}


def test_an_update_keeps_what_only_the_server_sets(space: Space) -> None:
    made = space.make(space.config_map())
    body = space.config_map(data={"x": "2"}, new="label")
    changed = space.kube.core.replace_namespaced_config_map(space.test, space.namespace, body)
    assert changed.metadata.uid == made.metadata.uid
    assert changed.metadata.creation_timestamp == made.metadata.creation_timestamp
    assert changed.metadata.labels == body["metadata"]["labels"]
    again = space.kube.core.replace_namespaced_config_map(space.test, space.namespace, changed)
    assert again.metadata.resource_version == changed.metadata.resource_version, "nothing has changed"


def test_a_new_generation_is_a_new_spec(space: Space) -> None:
    """API reference, ObjectMeta: generation tells versions of the desired state apart."""
    assert space.make(space.indexed_job("", 1, suspend=True)).metadata.generation == 1
    batch = space.kube.batch
    batch.patch_namespaced_job(space.test, space.namespace, {"metadata": {"annotations": {"a": "b"}}})
    assert space.job_now().metadata.generation == 1
    batch.patch_namespaced_job(space.test, space.namespace, {"spec": {"parallelism": 0}})
    assert space.job_now().metadata.generation == 2


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        (
            "application/json-patch+json",
            [{"op": "replace", "path": "/data/x", "value": "2"}, {"op": "remove", "path": "/data/y"}],
        ),
        ("application/merge-patch+json", {"data": {"x": "2", "y": None}}),
        ("application/strategic-merge-patch+json", {"data": {"x": "2", "y": None}}),
    ],
)
def test_an_object_is_patched(space: Space, kind: str, patch: Any) -> None:
    space.make(space.config_map(data={"x": "1", "y": "1"}))
    path = space.path("ConfigMap", space.test)
    answer = space.kube.http.patch(path, headers={"Content-Type": kind}, json=patch)
    assert answer.json()["data"] == {"x": "2"}


@pytest.mark.parametrize(
    ("kind", "patch", "code"),
    [
        ("application/json-patch+json", [{"op": "replace", "path": "/none/x", "value": "2"}], 422),
        ("application/json-patch+json", [{"op": "remove", "path": "/data/none"}], 422),
        ("application/json-patch+json", [{"op": "test", "path": "/data/x", "value": "2"}], 422),
        ("application/json-patch+json", [{"op": "grow", "path": "/data"}], 422),
        ("application/json-patch+json", {"op": "remove", "path": "/data"}, 400),
        ("application/merge-patch+json", {"metadata": {"name": "b"}}, 400),
        ("application/json", {}, 415),
    ],
)
def test_a_bad_patch_is_refused(space: Space, kind: str, patch: Any, code: int) -> None:
    """RFC 6902: what cannot be read is a bad request; what cannot be applied is unprocessable."""
    space.make(space.config_map(data={"x": "1"}))
    path = space.path("ConfigMap", space.test)
    answer = space.kube.http.patch(path, headers={"Content-Type": kind}, json=patch)
    assert (answer.status_code, answer.json()["code"]) == (code, code)


def test_labels_select(space: Space) -> None:
    """kubernetes.io/docs/concepts/overview/working-with-objects/labels: != takes what has no label."""
    for name, labels in {"a": {"app": "x"}, "b": {"app": "y", "tier": "1"}, "c": {}}.items():
        space.make(space.config_map(name, **labels))
    for selector, selected in {
        "app": ["a", "b"],
        "!app": ["c"],
        "app=x": ["a"],
        "app==x,!tier": ["a"],
        "tier=": [],
        "app!=x": ["b", "c"],
        "app in (x, y),tier=1": ["b"],
        "app notin (y, z)": ["a", "c"],
    }.items():
        assert names(config_maps(space, label_selector=selector)) == selected, selector
    for selector in ("app=a=b", "a b", "=x", "app in", "app in a", "(x)"):
        with pytest.raises(ApiException) as refused:
            config_maps(space, label_selector=selector)
        assert refused.value.status == 400, selector


def test_fields_select(space: Space) -> None:
    for name in ("a", "b"):
        space.make(space.config_map(name))
    assert names(config_maps(space, field_selector=f"metadata.name={space.test}-b")) == ["b"]
    assert names(config_maps(space, field_selector=f"metadata.name!={space.test}-b")) == ["a"]
    with pytest.raises(ApiException) as refused:
        config_maps(space, field_selector="data.x=1")
    assert refused.value.status == 400


def test_pages_are_of_one_moment(space: Space) -> None:
    """API concepts, Retrieving large results sets in chunks; with a selector nobody counts what remains."""
    for number in range(5):
        space.make(space.config_map(str(number)))
    page = config_maps(space, limit=2)
    assert names(page) == ["0", "1"]
    assert page.metadata.remaining_item_count is None
    space.kube.core.delete_namespaced_config_map(f"{space.test}-3", space.namespace)
    space.make(space.config_map("9"))
    seen, version = names(page), page.metadata.resource_version
    while page.metadata._continue:
        page = config_maps(space, limit=2, _continue=page.metadata._continue)
        assert page.metadata.resource_version == version
        seen += names(page)
    assert seen == ["0", "1", "2", "3", "4"]


def test_what_remains_of_a_whole_list_is_counted(space: Space) -> None:
    """API reference, ListMeta.remainingItemCount."""
    for number in range(3):
        space.make(space.config_map(str(number)))

    def counted() -> bool:
        page = space.kube.core.list_namespaced_config_map(space.namespace, limit=1)
        everything = space.kube.core.list_namespaced_config_map(space.namespace).items
        return bool(page.metadata.remaining_item_count == len(everything) - 1 >= 2)

    soon(counted, "what remains is what the whole list has more")


def test_a_page_that_was_never_given_is_refused(space: Space) -> None:
    answer = space.kube.http.get(space.path("ConfigMap"), params={"limit": 1, "continue": "%"})
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")


def test_a_collection_is_deleted_by_selector(space: Space) -> None:
    for name, labels in {"a": {"mine": "yes"}, "b": {"mine": "yes"}, "stranger": {}}.items():
        space.make(space.config_map(name, **labels))
    space.kube.core.delete_collection_namespaced_config_map(
        space.namespace, label_selector=f"{space.selector},mine=yes"
    )
    assert names(config_maps(space)) == ["stranger"]


def test_a_dry_run_stores_nothing(space: Space) -> None:
    """API concepts, Dry-run: validated and defaulted, never persisted."""
    core, body = space.kube.core, space.config_map(data={"x": "1"})
    assert core.create_namespaced_config_map(space.namespace, body, dry_run="All").data == {"x": "1"}
    assert names(config_maps(space)) == []
    space.make(body)
    patch = {"data": {"x": "2"}}
    patched = core.patch_namespaced_config_map(space.test, space.namespace, patch, dry_run="All")
    assert patched.data == {"x": "2"}
    core.delete_namespaced_config_map(space.test, space.namespace, dry_run="All")
    assert core.read_namespaced_config_map(space.test, space.namespace).data == {"x": "1"}


def test_a_deletion_checks_its_preconditions(space: Space) -> None:
    core = space.kube.core
    space.make(space.config_map())
    body = {"preconditions": {"uid": "other"}}
    with pytest.raises(ApiException) as refused:
        core.delete_namespaced_config_map(space.test, space.namespace, body=body)
    assert refused.value.status == 409
    deleted = core.delete_namespaced_config_map(space.test, space.namespace)
    details = deleted.details
    assert (deleted.status, details.name, details.kind) == ("Success", space.test, "configmaps")


def test_the_status_is_a_resource_of_its_own(space: Space) -> None:
    """API conventions, Spec and status: each endpoint passes over what belongs to the other."""
    batch = space.kube.batch
    space.make(space.job("", suspend=True))
    both = {"status": {"failed": 3}, "spec": {"parallelism": 7}}
    changed = batch.patch_namespaced_job(space.test, space.namespace, both)
    assert (changed.spec.parallelism, changed.status.failed) == (7, None)
    changed = batch.patch_namespaced_job_status(space.test, space.namespace, {"spec": {"parallelism": 3}})
    assert changed.spec.parallelism == 7

"""Watches, as kubernetes.io/docs/reference/using-api/api-concepts has them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kubernetes import watch

from localkube_server import Kube


def configmap(name: str, value: str = "", **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}, "data": {"x": value}}


@contextmanager
def watching(kube: Kube, path: str, **query: Any) -> Iterator[Iterator[dict[str, Any]]]:
    """The events of a watch."""
    headers = query.pop("headers", {})
    parameters = {"watch": "true", "timeoutSeconds": 20} | query
    with kube.http.stream("GET", path, params=parameters, headers=headers) as answer:
        yield (json.loads(line) for line in answer.iter_lines())


def told(event: dict[str, Any]) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"]["name"]


def test_a_watch_tells_every_change_after_its_version(kube: Kube, namespace: str) -> None:
    path = f"api/v1/namespaces/{namespace}/configmaps"
    kube.core.create_namespaced_config_map(namespace, configmap("before"))
    version = kube.core.list_namespaced_config_map(namespace).metadata.resource_version
    with watching(kube, path, resourceVersion=version) as events:
        kube.core.create_namespaced_config_map(namespace, configmap("a"))
        kube.core.patch_namespaced_config_map("a", namespace, {"data": {"x": "1"}})
        kube.core.delete_namespaced_config_map("a", namespace)
        seen = [next(events) for _ in range(3)]
    assert [told(event) for event in seen] == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
    assert versions == sorted(set(versions))
    assert versions[0] > int(version)


def test_a_watch_from_nothing_begins_with_what_is_there(kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_config_map(namespace, configmap("a"))
    with watching(kube, f"api/v1/namespaces/{namespace}/configmaps") as events:
        assert told(next(events)) == ("ADDED", "a")


def test_what_comes_to_match_is_added_and_what_ceases_to_is_deleted(kube: Kube, namespace: str) -> None:
    version = kube.core.list_namespaced_config_map(namespace).metadata.resource_version
    path = f"api/v1/namespaces/{namespace}/configmaps"
    with watching(kube, path, resourceVersion=version, labelSelector="app=x") as events:
        kube.core.create_namespaced_config_map(namespace, configmap("a"))
        for app in ("x", "y"):
            kube.core.patch_namespaced_config_map("a", namespace, {"metadata": {"labels": {"app": app}}})
        kube.core.create_namespaced_config_map(namespace, configmap("b", app="x"))
        seen = [told(next(events)) for _ in range(3)]
    assert seen == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "b")]


def test_a_watch_ends_when_its_time_is_over(kube: Kube, namespace: str) -> None:
    path = f"api/v1/namespaces/{namespace}/configmaps"
    version = kube.core.list_namespaced_config_map(namespace).metadata.resource_version
    with watching(kube, path, resourceVersion=version, timeoutSeconds=1) as events:
        assert list(events) == []


def test_initial_events_end_with_a_bookmark(kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_config_map(namespace, configmap("a", app="x"))
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    path = f"api/v1/namespaces/{namespace}/configmaps"
    with watching(kube, path, labelSelector="app=x", **query) as events:
        first, end = next(events), next(events)
    assert told(first) == ("ADDED", "a")
    assert end["type"] == "BOOKMARK"
    assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_a_version_that_is_no_number_is_refused(kube: Kube) -> None:
    assert kube.http.get("api/v1/pods?watch=1&resourceVersion=x").json()["code"] == 400


def test_the_official_client_follows_a_namespace(kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_config_map(namespace, configmap("a", app="x"))
    follow = watch.Watch()
    stream = follow.stream(
        kube.core.list_namespaced_config_map, namespace, label_selector="app=x", timeout_seconds=20
    )
    event = next(stream)
    follow.stop()
    assert (event["type"], event["object"].metadata.name) == ("ADDED", "a")


@pytest.mark.parametrize("form", ["Table", "PartialObjectMetadata"])
def test_a_watch_has_the_form_it_is_asked_for(kube: Kube, namespace: str, form: str) -> None:
    kube.core.create_namespaced_config_map(namespace, configmap("a", app="x"))
    accept = {"Accept": f"application/json;as={form};g=meta.k8s.io;v=v1,application/json"}
    path = f"api/v1/namespaces/{namespace}/configmaps"
    with watching(kube, path, labelSelector="app=x", headers=accept) as events:
        assert next(events)["object"]["kind"] == form

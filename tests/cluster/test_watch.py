"""Watches. The authority: kubernetes.io/docs/reference/using-api/api-concepts ("API concepts" below)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from space import Space


@contextmanager
def watching(space: Space, headers: dict[str, str] | None = None, **query: Any) -> Iterator[Any]:
    parameters = {"watch": "true", "timeoutSeconds": 20, "labelSelector": space.selector} | query
    path = space.path("ConfigMap")
    with space.kube.http.stream("GET", path, params=parameters, headers=headers or {}) as answer:
        yield (json.loads(line) for line in answer.iter_lines())


def version(space: Space) -> str:
    listed = space.kube.core.list_namespaced_config_map(space.namespace, label_selector=space.selector)
    return str(listed.metadata.resource_version)


def told(event: dict[str, Any]) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"]["name"].rpartition("-")[2]


def test_a_watch_tells_every_change_after_its_version(space: Space) -> None:
    """API concepts, Efficient detection of changes."""
    space.make(space.config_map("before"))
    since, core = version(space), space.kube.core
    with watching(space, resourceVersion=since) as events:
        name = space.make(space.config_map("a")).metadata.name
        core.patch_namespaced_config_map(name, space.namespace, {"data": {"x": "1"}})
        core.delete_namespaced_config_map(name, space.namespace)
        seen = [next(events) for _ in range(3)]
    assert [told(event) for event in seen] == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
    assert versions == sorted(set(versions))
    assert versions[0] > int(since)


def test_a_watch_from_nothing_begins_with_what_is_there(space: Space) -> None:
    """API concepts, Semantics for watch: without a version, synthetic ADDED events come first."""
    space.make(space.config_map("a"))
    with watching(space) as events:
        assert told(next(events)) == ("ADDED", "a")


def test_what_comes_to_match_is_added_and_what_ceases_to_is_deleted(space: Space) -> None:
    core, since = space.kube.core, version(space)
    selector = f"{space.selector},app=x"
    with watching(space, resourceVersion=since, labelSelector=selector) as events:
        name = space.make(space.config_map("a")).metadata.name
        for app in ("x", "y"):
            core.patch_namespaced_config_map(name, space.namespace, {"metadata": {"labels": {"app": app}}})
        space.make(space.config_map("b", app="x"))
        seen = [told(next(events)) for _ in range(3)]
    assert seen == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "b")]


def test_a_watch_ends_when_its_time_is_over(space: Space) -> None:
    """API reference, timeoutSeconds: the server closes the stream, without an error."""
    with watching(space, resourceVersion=version(space), timeoutSeconds=1) as events:
        assert list(events) == []


def test_initial_events_end_with_a_bookmark(space: Space) -> None:
    """API concepts, Streaming lists: on by default from version 1.34."""
    space.make(space.config_map("a"))
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    with watching(space, **query) as events:
        first = next(events)
        if first.get("kind") == "Status":
            pytest.skip(f"this cluster streams no lists: {first['message']}")
        end = next(events)
    assert told(first) == ("ADDED", "a")
    assert end["type"] == "BOOKMARK"
    assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_a_watch_from_long_ago_is_whole_or_gone(space: Space) -> None:
    """API concepts, 410 Gone responses: what is forgotten is told and never skipped."""
    space.make(space.config_map("a"))
    space.make(space.config_map("b"))
    with watching(space, resourceVersion="1") as events:
        first = next(events)
        if first.get("kind") != "Status" and first["type"] != "ERROR":
            assert [told(first), told(next(events))] == [("ADDED", "a"), ("ADDED", "b")]
            return
    status = first if first.get("kind") == "Status" else first["object"]
    assert (status["code"], status["reason"]) in [(410, "Expired"), (410, "Gone")]


@pytest.mark.parametrize(("query", "code"), [({}, 400), ({"watch": "1"}, 500)])
def test_a_version_that_is_none_is_refused(space: Space, query: dict[str, str], code: int) -> None:
    """As the API server has it, a watch does not call it the client's fault."""
    answer = space.kube.http.get(space.path("ConfigMap"), params={"resourceVersion": "x", **query})
    assert (answer.status_code, answer.json()["code"]) == (code, code)


def test_a_deletion_is_told_with_the_last_state(space: Space) -> None:
    """API reference, WatchEvent: the object of DELETED is its state immediately before."""
    made = space.make(space.config_map("a", {"x": "1"}))
    with watching(space, resourceVersion=made.metadata.resource_version) as events:
        space.kube.core.delete_namespaced_config_map(made.metadata.name, space.namespace)
        event = next(events)
    assert (event["type"], event["object"]["data"]) == ("DELETED", {"x": "1"})

"""What of the API is localkube's own: times of bookmarks, limits of deletion, what there is."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from localkube_server import Kube

FIRST_CONTAINER = "spec.containers[0]"


def configmap(name: str, data: dict[str, str] | None = None, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}, "data": data or {}}


def names(found: Any) -> list[str]:
    return [one.metadata.name for one in found.items if one.metadata.name != "kube-root-ca.crt"]


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
    listed = {
        one.name for api in (kube.core, kube.batch, kube.apps) for one in api.get_api_resources().resources
    }
    statuses = ("namespaces", "nodes", "pods", "resourcequotas", "jobs", "daemonsets")
    below = {*(f"{name}/status" for name in statuses), "pods/log", "pods/eviction"}
    others = {"configmaps", "secrets", "serviceaccounts", "limitranges", "events"}
    assert listed == {*statuses, *others, *below}

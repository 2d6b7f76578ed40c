"""What of the API is localkube's own: times of bookmarks, limits of deletion, what there is."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

from localkube_server import Kube


def test_a_watcher_that_selects_gets_bookmarks_in_a_busy_collection(kube: Kube, namespace: str) -> None:
    """Two seconds before its end a watch gets the last one, as from a genuine API server."""
    path = f"api/v1/namespaces/{namespace}/configmaps"
    query = {"watch": "1", "labelSelector": "a=b", "allowWatchBookmarks": "true", "timeoutSeconds": "4"}
    made = kube.core.create_namespaced_config_map(namespace, {"metadata": {"name": "busy"}})

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


def test_of_a_collection_no_more_than_a_limit_is_deleted(kube: Kube, namespace: str) -> None:
    for name in ("a", "b", "c"):
        body = {"metadata": {"name": name, "labels": {"mine": "yes"}}}
        kube.core.create_namespaced_config_map(namespace, body)
    kube.core.delete_collection_namespaced_config_map(namespace, label_selector="mine=yes", limit=2)
    (left,) = kube.core.list_namespaced_config_map(namespace, label_selector="mine=yes").items
    assert left.metadata.name == "c"


def test_discovery_names_every_resource(kube: Kube) -> None:
    assert kube.version.get_code().git_version.startswith("v1.36.0+localkube")
    listed = {
        one.name for api in (kube.core, kube.batch, kube.apps) for one in api.get_api_resources().resources
    }
    statuses = ("namespaces", "nodes", "pods", "resourcequotas", "jobs", "daemonsets")
    below = {*(f"{name}/status" for name in statuses), "pods/log", "pods/eviction"}
    others = {"configmaps", "secrets", "serviceaccounts", "events"}
    assert listed == {*statuses, *others, *below}

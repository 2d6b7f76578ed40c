"""Whatever a client sends that has the shape of an object is taken or refused, never an internal error."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubernetes_schema import SCHEMA
from localkube_server import Kube

TYPES: dict[str, dict[str, str]] = json.loads(SCHEMA.read_text())
COLLECTIONS = {
    "Pod": "api/v1/namespaces/default/pods",
    "Job": "apis/batch/v1/namespaces/default/jobs",
    "DaemonSet": "apis/apps/v1/namespaces/default/daemonsets",
    "ConfigMap": "api/v1/namespaces/default/configmaps",
    "Secret": "api/v1/namespaces/default/secrets",
    "Event": "api/v1/namespaces/default/events",
    "Node": "api/v1/nodes",
    "Namespace": "api/v1/namespaces",
}
TEXT = st.sampled_from(
    ["", "a", "A b", "../x", "-1", "10%", "$(X)", "x" * 300, "Always", "Never", "In", "limits.cpu"]
)
SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "any": st.sampled_from([None, 1, "x", {"a": 1}, [1]]),
    "string": TEXT,
    "integer": st.sampled_from([0, 1, -1, 65, 2**31, 10**30]),
    "boolean": st.booleans(),
    "number": st.floats(0, 1),
    "quantity": st.sampled_from(["1", "100m", "-1", "1e30", "x", 2, 0.5]),
    "base64": st.sampled_from(["", "Mw==", "x"]),
    "time": st.sampled_from(["2026-01-01T00:00:00Z", "now"]),
}


def value(declared: str, depth: int) -> st.SearchStrategy[Any]:
    declared = declared.rstrip("!")
    if declared.startswith("[]"):
        return st.lists(value(declared[2:], depth), max_size=2)
    if declared.startswith("{}"):
        return st.dictionaries(TEXT, value(declared[2:], depth), max_size=2)
    return SIMPLE[declared] if declared in SIMPLE else document(declared, depth + 1)


def document(kind: str, depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of a kind; what is required is there, the rest sometimes, deep down never."""
    fields = {name: declared for name, declared in TYPES[kind].items() if name not in ("apiVersion", "kind")}
    required = {name: value(declared, depth) for name, declared in fields.items() if declared.endswith("!")}
    optional = {name: value(fields[name], depth) for name in fields if name not in required and depth < 5}
    return st.fixed_dictionaries(required, optional=optional)


@pytest.mark.parametrize("kind", COLLECTIONS)
def test_no_object_makes_the_server_fail(kube: Kube, kind: str) -> None:
    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(document(kind))
    def post(body: dict[str, Any]) -> None:
        body = {**body, "metadata": {**body.get("metadata", {}), "name": "fuzzed"}}
        answer = kube.http.post(COLLECTIONS[kind], json=body, params={"dryRun": "All"})
        assert answer.status_code in (201, 400, 403, 422), answer.text

    post()

"""What Kubernetes has and localkube has not is refused by name."""

from typing import Any

import pytest

from kubectl_command import Kubectl
from localkube_server import Kube, shell_space
from space import Space
from tables import cases

API, JOBS = "api/v1/namespaces/default", "apis/batch/v1/namespaces/default/jobs"


@pytest.mark.parametrize(
    ("method", "path", "kind", "told"),
    [
        ("POST", "pods/x/exec", "json", "501 localkube does not implement pods/exec"),
        ("POST", "serviceaccounts/default/token", "json", "501 localkube does not implement serviceaccounts"),
        ("POST", "configmaps", "yaml", "415 the body of the request was in an unknown format"),
        ("PATCH", "configmaps/kube-root-ca.crt", "apply-patch+yaml", "415 the body of the request was in an"),
    ],
)
def test_a_verb_or_a_format_is_refused(kube: Kube, method: str, path: str, kind: str, told: str) -> None:
    headers = {"Content-Type": f"application/{kind}"}
    answer = kube.http.request(method, f"{API}/{path}", json={}, headers=headers).json()
    assert f"{answer['code']} {answer['message']}".startswith(told)


@cases
def test_a_field_of_a_pod_is_refused(kube: Kube, spec: dict[str, Any], field: str) -> None:
    assert refused_field(kube, f"{API}/pods", shell_space(kube).pod("true", **spec)).startswith(field)


@pytest.mark.parametrize(
    "change",
    [
        {"activeDeadlineSeconds": 1},
        {"maxFailedIndexes": 1},
        {"successPolicy": {"rules": [{"succeededCount": 1}]}},
        {"managedBy": "kueue.x-k8s.io/multikueue"},
        {"manualSelector": True},
    ],
)
def test_a_field_of_a_job_is_refused(kube: Kube, change: dict[str, Any]) -> None:
    job = shell_space(kube).indexed_job("true", 2, **change)
    assert refused_field(kube, JOBS, job) == f"spec.{next(iter(change))}"


def test_a_share_of_the_daemons_and_a_taint_that_would_evict_are_refused(kube: Kube) -> None:
    daemons = shell_space(kube).daemon_set("true")
    daemons["spec"]["updateStrategy"] = {"rollingUpdate": {"maxUnavailable": "50%"}}
    field = refused_field(kube, "apis/apps/v1/namespaces/default/daemonsets", daemons)
    assert field == "spec.updateStrategy.rollingUpdate.maxUnavailable"
    taint = {"key": "k", "value": "v", "effect": "NoExecute"}
    node = {"metadata": {"name": "n"}, "spec": {"taints": [taint]}}
    assert refused_field(kube, "api/v1/nodes", node) == "spec.taints[0].effect"


def refused_field(kube: Kube, path: str, body: dict[str, Any]) -> str:
    refused = kube.http.post(path, json=body, params={"dryRun": "All"}).json()
    assert (refused["code"], refused["reason"]) == (422, "Invalid")
    return str(refused["details"]["causes"][0]["field"])


def test_times_of_log_lines_are_refused(space: Space) -> None:
    space.run_pod(space.pod("true"))
    for parameter in ("timestamps=true", "sinceSeconds=3", "sinceTime=2026-01-01T00:00:00Z"):
        answer = space.kube.http.get(f"{space.path('Pod', space.test)}/log?{parameter}")
        assert answer.json()["code"] == 501, parameter


def test_of_the_past_only_what_a_list_under_way_needs_is_kept(kube: Kube, namespace: str) -> None:
    """Another version than the present one, or a page of another list, is answered by 410, as documented."""
    path = f"api/v1/namespaces/{namespace}/configmaps"
    version = kube.http.get(path).json()["metadata"]["resourceVersion"]
    for name in ("a", "b"):
        kube.core.create_namespaced_config_map(namespace, {"metadata": {"name": name}})
    exactly = {"resourceVersion": version, "resourceVersionMatch": "Exact"}
    page = {"continue": kube.http.get(path, params={"limit": 1}).json()["metadata"]["continue"]}
    for asked, query in ((path, exactly), ("api/v1/nodes", page)):
        assert kube.http.get(asked, params=query).json()["reason"] == "Expired"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["get", "deployments"], 'the server doesn\'t have a resource type "deployments"'),
        (["apply", "--server-side", "-f", "-"], "Server-side apply not available on the server"),
        (["create", "configmap", "c"], "pipe `kubectl create ... --dry-run=client -o yaml`"),
        (["create", "cronjob", "c", "--image=x", "--schedule=* * * * *"], "could not find the requested"),
    ],
)
def test_kubectl_tells_what_is_not_served(kubectl: Kubectl, command: tuple[str, ...], told: str) -> None:
    stdin = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
    assert told in kubectl(*command, stdin=stdin, ok=False)

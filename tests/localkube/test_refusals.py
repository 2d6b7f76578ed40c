"""What Kubernetes has and localkube has not is refused by name."""

from typing import Any

from kubectl_command import Kubectl
from localkube_server import Kube, indexed_job, pod, pod_ended

API, JOBS = "api/v1/namespaces/default", "apis/batch/v1/namespaces/default/jobs"


def test_a_verb_or_a_format_is_refused(kube: Kube, method: str, path: str, kind: str, told: str) -> None:
    headers = {"Content-Type": f"application/{kind}"}
    answer = kube.http.request(method, f"{API}/{path}", json={}, headers=headers).json()
    assert f"{answer['code']} {answer['message']}".startswith(told)


def test_a_field_of_a_pod_is_refused(kube: Kube, spec: dict[str, Any], field: str) -> None:
    assert refused_field(kube, f"{API}/pods", pod("p", "true", **spec)).startswith(field)


def test_a_field_of_a_job_is_refused(kube: Kube, change: dict[str, Any]) -> None:
    assert refused_field(kube, JOBS, indexed_job("j", "true", 2, **change)) == f"spec.{next(iter(change))}"


def test_a_share_of_the_daemons_and_a_taint_that_would_evict_are_refused(kube: Kube) -> None:
    template = {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "a", "image": "b"}]}}
    share = {"rollingUpdate": {"maxUnavailable": "50%"}}
    spec = {"selector": {"matchLabels": {"app": "d"}}, "template": template, "updateStrategy": share}
    daemons = {"metadata": {"name": "d"}, "spec": spec}
    field = refused_field(kube, "apis/apps/v1/namespaces/default/daemonsets", daemons)
    assert field == "spec.updateStrategy.rollingUpdate.maxUnavailable"
    taint = {"key": "k", "value": "v", "effect": "NoExecute"}
    node = {"metadata": {"name": "n"}, "spec": {"taints": [taint]}}
    assert refused_field(kube, "api/v1/nodes", node) == "spec.taints[0].effect"


def refused_field(kube: Kube, path: str, body: dict[str, Any]) -> str:
    refused = kube.http.post(path, json=body, params={"dryRun": "All"}).json()
    assert (refused["code"], refused["reason"]) == (422, "Invalid")
    return str(refused["details"]["causes"][0]["field"])


def test_times_of_log_lines_are_refused(kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_pod(namespace, pod("p", "true"))
    pod_ended(kube, namespace, "p")
    for parameter in ("timestamps=true", "sinceSeconds=3", "sinceTime=2026-01-01T00:00:00Z"):
        answer = kube.http.get(f"api/v1/namespaces/{namespace}/pods/p/log?{parameter}")
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


def test_kubectl_tells_what_is_not_served(kubectl: Kubectl, command: tuple[str, ...], told: str) -> None:
    stdin = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
    assert told in kubectl(*command, stdin=stdin, ok=False)

"""What kubectl tells of what localkube has not; what it has is in the suite of clusters."""

import pytest

from kubectl_command import Kubectl
from localkube_server import Kube, pod, pod_running


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("get", "deployments"), 'the server doesn\'t have a resource type "deployments"'),
        (("apply", "--server-side", "-f", "-"), "Server-side apply not available on the server"),
        (
            ("create", "cronjob", "c", "--image=x", "--schedule=* * * * *"),
            "the server could not find the requested resource",
        ),
    ],
)
def test_what_is_not_served_is_refused_clearly(kubectl: Kubectl, command: tuple[str, ...], told: str) -> None:
    stdin = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
    assert told in kubectl(*command, stdin=stdin, ok=False)


def test_exec_is_refused_clearly(kubectl: Kubectl, kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_pod(namespace, pod("p", "sleep 60"))
    pod_running(kube, namespace, "p")
    assert "localkube does not implement pods/exec" in kubectl(
        "exec", "-n", namespace, "p", "--", "ls", ok=False
    )


def test_version_and_contexts(kubectl: Kubectl) -> None:
    assert "Server Version: v1.36.0+localkube" in kubectl("version")
    assert "shared" in kubectl("config", "get-contexts", "-o", "name").split()
    assert kubectl("get", "--raw", "/readyz") == "ok"

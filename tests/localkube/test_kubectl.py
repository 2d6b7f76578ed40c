"""kubectl as it comes, doing what a curious user does with it."""

import json
from collections.abc import Callable

import pytest

from localkube_server import SHELL, Kube, eventually, indexed_job, pod, pod_running

Kubectl = Callable[..., str]

MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {x: "1"}
---
apiVersion: batch/v1
kind: Job
metadata: {name: greet, labels: {app: greeter}}
spec:
  completions: 2
  parallelism: 2
  completionMode: Indexed
  template:
    spec:
      restartPolicy: Never
      containers:
      - {name: main, image: "test/shell:1", args: ["echo hello $JOB_COMPLETION_INDEX"]}
"""
DAEMONSET = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: prepull}
spec:
  selector: {matchLabels: {app: prepull}}
  template:
    metadata: {labels: {app: prepull}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: pause, image: "registry.k8s.io/pause:3.10"}]
"""


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_apply_wait_logs_and_delete(kubectl: Kubectl, namespace: str) -> None:
    assert kubectl("apply", "-n", namespace, "-f", "-", stdin=MANIFEST) == (
        "configmap/settings created\njob.batch/greet created\n"
    )
    waited = kubectl("wait", "-n", namespace, "--for=condition=complete", "job/greet", "--timeout=30s")
    assert waited == "job.batch/greet condition met\n"
    logs = kubectl("logs", "-n", namespace, "-l", "batch.kubernetes.io/job-name=greet", "--prefix=false")
    assert sorted(logs.splitlines()) == ["hello 0", "hello 1"]
    again = kubectl("apply", "-n", namespace, "-f", "-", stdin=MANIFEST.replace('x: "1"', 'x: "2"'))
    assert again == "configmap/settings configured\njob.batch/greet unchanged\n"
    kubectl("delete", "-n", namespace, "-f", "-", stdin=MANIFEST)
    assert kubectl("get", "-n", namespace, "jobs,pods", ok=False).startswith("No resources found")


def test_get_prints_the_columns_of_kubernetes(kubectl: Kubectl, kube: Kube, namespace: str) -> None:
    kube.batch.create_namespaced_job(namespace, indexed_job("j", "exit 3", 1, backoffLimitPerIndex=0))
    kubectl("wait", "-n", namespace, "--for=condition=failed", "job/j", "--timeout=30s")
    jobs = rows(kubectl("get", "-n", namespace, "jobs"))
    assert jobs[0] == ["NAME", "STATUS", "COMPLETIONS", "DURATION", "AGE"]
    assert jobs[1][:3] == ["j", "Failed", "0/1"]
    pods = rows(kubectl("get", "-n", namespace, "pods", "-o", "wide"))
    wide = [
        "NAME",
        "READY",
        "STATUS",
        "RESTARTS",
        "AGE",
        "IP",
        "NODE",
        "NOMINATED",
        "NODE",
        "READINESS",
        "GATES",
    ]
    assert pods[0] == wide
    assert pods[1][1:4] == ["0/1", "Error", "0"]
    nodes = rows(kubectl("get", "nodes"))
    assert nodes[0] == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert [row[:3] for row in nodes[1:]] == [[f"shared-node-{n}", "Ready", "<none>"] for n in (0, 1)]
    events = rows(kubectl("get", "-n", namespace, "events"))
    assert events[0] == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    for kind in ("namespaces", "configmaps", "secrets", "serviceaccounts", "daemonsets", "all"):
        kubectl("get", "-A", kind, "-o", "wide")


def test_get_prints_json_yaml_and_jsonpath(kubectl: Kubectl, kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_config_map(namespace, {"metadata": {"name": "c"}, "data": {"x": "1"}})
    whole = json.loads(kubectl("get", "-n", namespace, "cm", "c", "-o", "json"))
    assert (whole["kind"], whole["apiVersion"], whole["data"]) == ("ConfigMap", "v1", {"x": "1"})
    assert kubectl("get", "-n", namespace, "cm", "c", "-o", "jsonpath={.data.x}") == "1"
    assert "kind: ConfigMap" in kubectl("get", "-n", namespace, "cm", "c", "-o", "yaml")
    assert kubectl("get", "-n", namespace, "cm", "c", "-o", "name") == "configmap/c\n"


@pytest.mark.parametrize("watching", [[], ["--watch-only=false", "-w", "--request-timeout=2s"]])
def test_get_may_select(kubectl: Kubectl, kube: Kube, namespace: str, watching: list[str]) -> None:
    for name in ("a", "b"):
        kube.core.create_namespaced_config_map(
            namespace, {"metadata": {"name": name, "labels": {"app": name}}}
        )
    found = kubectl("get", "-n", namespace, "cm", "-l", "app=b", "--no-headers", *watching, ok=not watching)
    assert rows(found)[0][:2] == ["b", "0"]


def test_describe_tells_the_whole_story(kubectl: Kubectl, kube: Kube, namespace: str) -> None:
    kube.batch.create_namespaced_job(namespace, indexed_job("j", "true", 1))
    kubectl("wait", "-n", namespace, "--for=condition=complete", "job/j", "--timeout=30s")
    job = kubectl("describe", "-n", namespace, "job", "j")
    assert "0 Active (0 Ready) / 1 Succeeded / 0 Failed" in job
    assert "Completed Indexes:  0" in job
    assert "SuccessfulCreate" in job
    found = kubectl("describe", "-n", namespace, "pods")
    assert "Controlled By:  Job/j" in found
    assert "Successfully assigned" in found
    node = kubectl("describe", "node", "shared-node-0")
    assert "Allocated resources:" in node
    assert "Unschedulable:      false" in node
    for kind, name in (("namespace", namespace), ("cm", "kube-root-ca.crt"), ("sa", "default")):
        assert name in kubectl("describe", "-n", namespace, kind, name)


def test_create_patch_label_and_edit(kubectl: Kubectl, namespace: str) -> None:
    at = ("-n", namespace)
    for what in (
        ("configmap", "c", "--from-literal=x=1"),
        ("secret", "generic", "s", "--from-literal=x=hush"),
        ("job", "once", f"--image={SHELL}", "--", "/bin/echo", "hi"),
    ):
        written = kubectl("create", *at, *what[:2], "--dry-run=client", "-o", "yaml", *what[2:])
        assert kubectl("create", *at, "-f", "-", stdin=written).endswith(" created\n")
    kubectl("patch", *at, "cm", "c", "-p", '{"data":{"y":"2"}}')
    kubectl("patch", *at, "cm", "c", "--type=json", "-p", '[{"op":"remove","path":"/data/x"}]')
    kubectl("label", *at, "cm", "c", "app=x")
    kubectl("annotate", *at, "cm", "c", "note=y")
    made = json.loads(kubectl("get", *at, "cm", "c", "-o", "json"))
    assert made["data"] == {"y": "2"}
    assert (made["metadata"]["labels"], made["metadata"]["annotations"]) == ({"app": "x"}, {"note": "y"})
    kubectl("wait", *at, "--for=condition=complete", "job/once", "--timeout=30s")
    kubectl("replace", *at, "-f", "-", stdin=json.dumps(made | {"data": {"z": "3"}}))
    assert kubectl("get", *at, "cm", "c", "-o", "jsonpath={.data}") == '{"z":"3"}'


def test_run_a_pod_and_follow_its_log(kubectl: Kubectl, namespace: str) -> None:
    command = ("--restart=Never", "--command", "--", "/bin/sh", "-c", "echo one; sleep 0.5; echo two")
    kubectl("run", "-n", namespace, "p", f"--image={SHELL}", *command)
    kubectl("wait", "-n", namespace, "--for=jsonpath={.status.phase}=Running", "pod/p", "--timeout=30s")
    assert kubectl("logs", "-n", namespace, "-f", "p") == "one\ntwo\n"
    assert kubectl("logs", "-n", namespace, "--tail=1", "p") == "two\n"


def test_rollout_status_of_a_daemonset(kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=DAEMONSET)
    done = kubectl("rollout", "status", "-n", namespace, "daemonset/prepull", "--timeout=30s")
    assert done.endswith('daemon set "prepull" successfully rolled out\n')
    kubectl("rollout", "restart", "-n", namespace, "daemonset/prepull")
    done = kubectl("rollout", "status", "-n", namespace, "daemonset/prepull", "--timeout=30s")
    assert done.endswith('daemon set "prepull" successfully rolled out\n')


def test_cordon_and_drain(kubectl: Kubectl, kube: Kube, namespace: str) -> None:
    body = pod("p", "sleep 60", nodeSelector={"kubernetes.io/hostname": "shared-node-1"})
    kube.core.create_namespaced_pod(namespace, body)
    pod_running(kube, namespace, "p")
    try:
        assert kubectl("cordon", "shared-node-1") == "node/shared-node-1 cordoned\n"
        assert rows(kubectl("get", "nodes"))[2][1] == "Ready,SchedulingDisabled"
        drained = kubectl("drain", "shared-node-1", "--force", "--ignore-daemonsets", "--timeout=30s")
        assert drained.endswith("node/shared-node-1 drained\n")
        eventually(lambda: kube.core.list_namespaced_pod(namespace).items == [])
    finally:
        assert kubectl("uncordon", "shared-node-1") == "node/shared-node-1 uncordoned\n"


def test_a_typing_error_in_a_manifest_is_refused(kubectl: Kubectl, namespace: str) -> None:
    told = kubectl(
        "apply", "-n", namespace, "-f", "-", stdin=MANIFEST.replace("parallelism", "paralelism"), ok=False
    )
    assert 'strict decoding error: unknown field "spec.paralelism"' in told


def test_a_dry_run_on_the_server_and_a_diff(kubectl: Kubectl, namespace: str) -> None:
    told = kubectl("apply", "-n", namespace, "--dry-run=server", "-f", "-", stdin=MANIFEST)
    assert "job.batch/greet created (server dry run)" in told
    assert "+  x: " in kubectl("diff", "-n", namespace, "-f", "-", stdin=MANIFEST, ok=False)
    assert "settings" not in kubectl("get", "-n", namespace, "cm")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("get", "deployments"), 'the server doesn\'t have a resource type "deployments"'),
        (("get", "pod", "none"), 'Error from server (NotFound): pods "none" not found'),
        (("apply", "--server-side", "-f", "-"), "Server-side apply not available on the server"),
        (
            ("create", "configmap", "c"),
            "pipe `kubectl create ... --dry-run=client -o yaml` to `kubectl create -f -`",
        ),
        (("scale", "job/none", "--replicas=2"), "NotFound"),
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

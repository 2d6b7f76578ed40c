"""kubectl as it comes, doing what a curious user does with it.

The authority: kubernetes.io/docs/reference/kubectl.
"""

import json

import pytest
from kubernetes.client.exceptions import ApiException

from kubectl_command import Kubectl
from space import SLEEP, Space, exits, soon

WAIT = "--timeout=120s"


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def manifest(space: Space, x: str = "1") -> str:
    """Return a ConfigMap and a Job, as a list of both; `kubectl get -o yaml` writes such."""
    greet = space.indexed_job("import os; print('hello', os.environ['JOB_COMPLETION_INDEX'])", 2)
    both = [space.config_map(data={"x": x}) | {"apiVersion": "v1"}, greet | {"apiVersion": "batch/v1"}]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": both})


def test_apply_wait_logs_and_delete(kubectl: Kubectl, space: Space) -> None:
    name = space.test
    applied = kubectl("apply", "-f", "-", stdin=manifest(space))
    assert applied == f"configmap/{name} created\njob.batch/{name} created\n"
    waited = kubectl("wait", "--for=condition=complete", f"job/{name}", WAIT)
    assert waited == f"job.batch/{name} condition met\n"
    logs = kubectl("logs", "-l", f"batch.kubernetes.io/job-name={name}", "--prefix=false")
    assert sorted(logs.splitlines()) == ["hello 0", "hello 1"]
    again = kubectl("apply", "-f", "-", stdin=manifest(space, x="2"))
    assert again == f"configmap/{name} configured\njob.batch/{name} unchanged\n"
    assert kubectl("get", "cm", name, "-o", "jsonpath={.data.x}") == "2"
    kubectl("delete", "-f", "-", WAIT, stdin=manifest(space))
    soon(lambda: "No resources found" in kubectl("get", "jobs,pods", "-l", space.selector, ok=False))


def test_get_prints_the_columns_of_kubernetes(kubectl: Kubectl, space: Space) -> None:
    space.make(space.indexed_job(exits(3), 1, backoffLimitPerIndex=0))
    kubectl("wait", "--for=condition=failed", f"job/{space.test}", WAIT)
    jobs = rows(kubectl("get", "jobs", "-l", space.selector))
    assert jobs[0] == ["NAME", "STATUS", "COMPLETIONS", "DURATION", "AGE"]
    assert jobs[1][:3] == [space.test, "Failed", "0/1"]
    wide = kubectl("get", "pods", "-l", space.selector, "-o", "wide").splitlines()
    columns = "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES"
    assert " ".join(wide[0].split()) == columns
    assert wide[1].split()[1:4] == ["0/1", "Error", "0"]
    assert rows(kubectl("get", "nodes"))[0] == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert rows(kubectl("get", "events"))[0] == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]


@pytest.mark.parametrize("kind", ["namespaces", "configmaps", "secrets", "serviceaccounts", "ds", "all"])
def test_every_kind_is_listed(kubectl: Kubectl, space: Space, kind: str) -> None:
    space.make(space.config_map())
    kubectl("get", kind, "-o", "wide")


def test_get_prints_json_yaml_jsonpath_and_names(kubectl: Kubectl, space: Space) -> None:
    space.make(space.config_map(data={"x": "1"}))
    whole = json.loads(kubectl("get", "cm", space.test, "-o", "json"))
    assert (whole["kind"], whole["apiVersion"], whole["data"]) == ("ConfigMap", "v1", {"x": "1"})
    assert "kind: ConfigMap" in kubectl("get", "cm", space.test, "-o", "yaml")
    assert kubectl("get", "cm", space.test, "-o", "jsonpath={.data.x}") == "1"
    assert kubectl("get", "cm", space.test, "-o", "name") == f"configmap/{space.test}\n"


@pytest.mark.parametrize("watching", [[], ["-w", "--request-timeout=3s"]])
def test_get_may_select_and_watch(kubectl: Kubectl, space: Space, watching: list[str]) -> None:
    for name in ("a", "b"):
        space.make(space.config_map(name, app=name))
    selector = f"{space.selector},app=b"
    found = kubectl("get", "cm", "-l", selector, "--no-headers", *watching, ok=not watching)
    assert rows(found)[0][:2] == [f"{space.test}-b", "0"]


def test_describe_tells_the_whole_story(kubectl: Kubectl, space: Space) -> None:
    space.make(space.indexed_job("", 1))
    kubectl("wait", "--for=condition=complete", f"job/{space.test}", WAIT)
    job = kubectl("describe", "job", space.test)
    assert "0 Active (0 Ready) / 1 Succeeded / 0 Failed" in job
    assert "Completed Indexes:  0" in job
    assert "SuccessfulCreate" in job
    pods = kubectl("describe", "pods", "-l", space.selector)
    assert f"Controlled By:  Job/{space.test}" in pods
    assert "Successfully assigned" in pods
    node = kubectl("describe", "node", space.pods()[0].spec.node_name)
    assert "Allocated resources:" in node
    assert "Unschedulable:      false" in node
    for kind, name in (("ns", space.namespace), ("cm", "kube-root-ca.crt"), ("sa", "default")):
        assert name in kubectl("describe", kind, name)


def test_create_patch_label_annotate_and_replace(kubectl: Kubectl, space: Space) -> None:
    for what in (
        ("configmap", space.test, "--from-literal=x=1"),
        ("secret", "generic", space.test, "--from-literal=x=hush"),
        ("job", space.test, f"--image={space.image}", "--", "python3", "-c", "print('hi')"),
    ):
        written = kubectl("create", *what[:2], "--dry-run=client", "-o", "yaml", *what[2:])
        assert kubectl("create", "-f", "-", stdin=written).endswith(" created\n")
    try:
        kubectl("patch", "cm", space.test, "-p", '{"data":{"y":"2"}}')
        kubectl("patch", "cm", space.test, "--type=json", "-p", '[{"op":"remove","path":"/data/x"}]')
        kubectl("label", "cm", space.test, "app=x")
        kubectl("annotate", "cm", space.test, "note=y")
        made = json.loads(kubectl("get", "cm", space.test, "-o", "json"))
        assert made["data"] == {"y": "2"}
        assert (made["metadata"]["labels"], made["metadata"]["annotations"]) == ({"app": "x"}, {"note": "y"})
        kubectl("wait", "--for=condition=complete", f"job/{space.test}", WAIT)
        assert kubectl("logs", f"job/{space.test}") == "hi\n"
        kubectl("replace", "-f", "-", stdin=json.dumps(made | {"data": {"z": "3"}}))
        assert kubectl("get", "cm", space.test, "-o", "jsonpath={.data}") == '{"z":"3"}'
    finally:
        for kind in ("cm", "secret", "job"):
            kubectl("delete", kind, space.test, WAIT)


def test_run_a_pod_and_follow_its_log(kubectl: Kubectl, space: Space) -> None:
    script = "import time; print('one', flush=True); time.sleep(3); print('two')"
    labels = f"--labels={space.selector}"
    command = ("--restart=Never", labels, "--command", "--", "python3", "-c", script)
    kubectl("run", space.test, f"--image={space.image}", *command)
    kubectl("wait", "--for=jsonpath={.status.phase}=Running", f"pod/{space.test}", WAIT)
    assert kubectl("logs", "-f", space.test) == "one\ntwo\n"
    assert kubectl("logs", "--tail=1", space.test) == "two\n"


def test_rollout_status_and_restart_of_a_daemon_set(kubectl: Kubectl, space: Space) -> None:
    body = space.daemon_set(SLEEP) | {"apiVersion": "apps/v1"}
    kubectl("apply", "-f", "-", stdin=json.dumps(body))
    rolled_out = f'daemon set "{space.test}" successfully rolled out\n'
    assert kubectl("rollout", "status", f"daemonset/{space.test}", WAIT).endswith(rolled_out)
    kubectl("rollout", "restart", f"daemonset/{space.test}")
    assert kubectl("rollout", "status", f"daemonset/{space.test}", WAIT).endswith(rolled_out)


def test_cordon_and_drain_of_the_tests_own_pods(kubectl: Kubectl, space: Space) -> None:
    """Safely Drain a Node; the selector spares the pods of others on a shared node."""
    space.make(space.job(SLEEP))
    node = space.ready_pods(1)[0].spec.node_name
    try:
        space.kube.core.patch_node(node, {"spec": {"unschedulable": True}}, dry_run="All")
    except ApiException as error:
        pytest.skip(f"this user may not cordon nodes here: {error.status} {error.reason}")
    try:
        assert kubectl("cordon", node) == f"node/{node} cordoned\n"
        shown = {row[0]: row[1] for row in rows(kubectl("get", "nodes"))}
        assert shown[node] == "Ready,SchedulingDisabled"
        drained = kubectl("drain", node, f"--pod-selector={space.selector}", "--ignore-daemonsets", WAIT)
        assert drained.endswith(f"node/{node} drained\n")
        soon(lambda: node not in {pod.spec.node_name for pod in space.pods()})
    finally:
        assert kubectl("uncordon", node) == f"node/{node} uncordoned\n"


def test_a_typing_error_in_a_manifest_is_refused(kubectl: Kubectl, space: Space) -> None:
    wrong = space.job("", paralelism=2) | {"apiVersion": "batch/v1"}
    told = kubectl("apply", "-f", "-", stdin=json.dumps(wrong), ok=False)
    assert 'strict decoding error: unknown field "spec.paralelism"' in told


def test_a_dry_run_on_the_server_and_a_diff(kubectl: Kubectl, space: Space) -> None:
    told = kubectl("apply", "--dry-run=server", "-f", "-", stdin=manifest(space))
    assert f"job.batch/{space.test} created (server dry run)" in told
    assert "+  x: " in kubectl("diff", "-f", "-", stdin=manifest(space), ok=False)
    assert space.test not in kubectl("get", "cm")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["get", "higgses"], 'the server doesn\'t have a resource type "higgses"'),
        (["get", "pod", "none"], 'Error from server (NotFound): pods "none" not found'),
        (["scale", "job/none", "--replicas=2"], "NotFound"),
    ],
)
def test_what_is_not_there_is_told(kubectl: Kubectl, command: tuple[str, ...], told: str) -> None:
    assert told in kubectl(*command, ok=False)


def test_the_server_tells_its_version_and_that_it_is_ready(kubectl: Kubectl) -> None:
    assert "Server Version: v1." in kubectl("version")
    assert kubectl("get", "--raw", "/readyz") == "ok"

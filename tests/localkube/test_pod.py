"""Pods as processes: what a container is given, how it ends and what is told of it."""

import base64
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from localkube_server import SHELL, Kube, eventually, pod, pod_ended, pod_running


def run(kube: Kube, namespace: str, body: dict[str, Any]) -> Any:
    """The pod once it has ended."""
    kube.core.create_namespaced_pod(namespace, body)
    return pod_ended(kube, namespace, body["metadata"]["name"])


def log(kube: Kube, namespace: str, name: str, **query: Any) -> str:
    return kube.http.get(f"api/v1/namespaces/{namespace}/pods/{name}/log", params=query).text


def terminated(found: Any) -> tuple[int, str, str | None]:
    state = found.status.container_statuses[0].state.terminated
    return state.exit_code, state.reason, state.message


@pytest.mark.parametrize(
    ("script", "phase", "code", "reason"),
    [
        ("true", "Succeeded", 0, "Completed"),
        ("exit 65", "Failed", 65, "Error"),
        ("kill -TERM $$$$", "Failed", 143, "Error"),
        ("kill -KILL $$$$", "Failed", 137, "Error"),
    ],
)
def test_a_pod_ends_with_its_container(
    kube: Kube, namespace: str, script: str, phase: str, code: int, reason: str
) -> None:
    found = run(kube, namespace, pod("p", script))
    assert (found.status.phase, *terminated(found)) == (phase, code, reason, None)
    assert {one.type: one.status for one in found.status.conditions} == {
        "PodScheduled": "True",
        "Initialized": "True",
        "Ready": "False",
        "ContainersReady": "False",
    }


def test_a_container_sees_its_environment_and_nothing_of_the_servers(kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_config_map(
        namespace, {"metadata": {"name": "c"}, "data": {"FROM_MAP": "map", "key": "value"}}
    )
    secret = {"metadata": {"name": "s"}, "stringData": {"AWS_SECRET": "hush"}}
    kube.core.create_namespaced_secret(namespace, secret)
    env = [
        {"name": "PLAIN", "value": "1"},
        {"name": "NESTED", "value": "$(PLAIN)+$(FROM_MAP)+$(UNKNOWN)+$$(PLAIN)"},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "key"}}},
        {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "none", "key": "x", "optional": True}}},
        {
            "name": "MEMORY",
            "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}},
        },
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "requests.cpu"}}},
    ]
    container = {
        "env": env,
        "envFrom": [{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "s"}, "prefix": "MY_"}],
        "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}},
    }
    body = pod("p", "env", container=container)
    body["metadata"]["labels"] = {"app": "higgs"}
    run(kube, namespace, body)
    seen = dict(line.split("=", 1) for line in log(kube, namespace, "p").splitlines())
    for its_own in ("HOME", "TMPDIR", "TERMINATION_MESSAGE_PATH", "PWD", "_", "SHLVL"):
        seen.pop(its_own, None)
    node = kube.core.read_namespaced_pod("p", namespace).spec.node_name
    assert seen == {
        "PATH": "/usr/bin:/bin",
        "FROM_IMAGE": "yes",
        "HOSTNAME": "p",
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": kube.url.split(":")[2].split("/")[0],
        "FROM_MAP": "map",
        "key": "value",
        "MY_AWS_SECRET": "hush",
        "PLAIN": "1",
        "NESTED": "1+map+$(UNKNOWN)+$(PLAIN)",
        "NAME": "p",
        "LABEL": "higgs",
        "NODE": node,
        "KEY": "value",
        "MEMORY": "64",
        "CPU": "1",
    }


def test_two_dollars_stand_for_one_as_kubernetes_has_it(kube: Kube, namespace: str) -> None:
    run(kube, namespace, pod("p", "echo '$$HOME' '$$(X)' '$(X)'"))
    assert log(kube, namespace, "p") == "$HOME $(X) $(X)\n"


def test_command_and_args_replace_what_the_image_says(kube: Kube, namespace: str) -> None:
    body = pod(
        "p",
        "x",
        container={
            "command": ["/bin/echo", "$(WHO)"],
            "args": ["ran"],
            "env": [{"name": "WHO", "value": "I"}],
        },
    )
    run(kube, namespace, body)
    assert log(kube, namespace, "p") == "I ran\n"


def test_init_containers_run_one_after_another_before_the_others(kube: Kube, namespace: str) -> None:
    mounts = [{"name": "d", "mountPath": "/data"}]
    init = [
        {"name": "a", "image": SHELL, "args": ["sleep 0.2; echo a >> /data/x"], "volumeMounts": mounts},
        {"name": "b", "image": SHELL, "args": ["echo b >> /data/x"], "volumeMounts": mounts},
    ]
    body = pod("p", "cat /data/x", container={"volumeMounts": mounts}, initContainers=init)
    body["spec"]["volumes"] = [{"name": "d", "emptyDir": {}}]
    found = run(kube, namespace, body)
    assert log(kube, namespace, "p") == "a\nb\n"
    assert [one.ready for one in found.status.init_container_statuses] == [True, True]


def test_a_failed_init_container_fails_the_pod(kube: Kube, namespace: str) -> None:
    init = [{"name": "a", "image": SHELL, "args": ["exit 7"]}]
    found = run(kube, namespace, pod("p", "echo never", initContainers=init))
    assert found.status.phase == "Failed"
    assert found.status.init_container_statuses[0].state.terminated.exit_code == 7
    assert found.status.container_statuses[0].state.waiting.reason == "PodInitializing"


def test_what_the_image_brings_is_not_translated(kube: Kube, namespace: str) -> None:
    mounts = [{"name": "v", "mountPath": "/usr"}, {"name": "v", "mountPath": "/bin"}]
    body = pod(
        "p",
        "echo $PATH $MINE",
        container={"volumeMounts": mounts, "env": [{"name": "MINE", "value": "/usr"}]},
    )
    body["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
    found = run(kube, namespace, body)
    path, mine = log(kube, namespace, "p").split()
    assert path == "/usr/bin:/bin"
    assert mine.endswith(f"/pods/{found.metadata.uid}/volumes/v")


def test_the_termination_message_is_what_the_container_wrote(kube: Kube, namespace: str) -> None:
    found = run(
        kube, namespace, pod("a", "echo noise; printf 'no input' > $TERMINATION_MESSAGE_PATH; exit 1")
    )
    assert terminated(found) == (1, "Error", "no input")
    found = run(kube, namespace, pod("b", "printf 'no input' > /dev/termination-log; exit 1"))
    assert terminated(found) == (1, "Error", "no input")


def test_the_log_ends_as_termination_message_where_asked(kube: Kube, namespace: str) -> None:
    fallback = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    found = run(kube, namespace, pod("p", "echo one; echo two >&2; exit 1", container=fallback))
    assert terminated(found) == (1, "Error", "one\ntwo")


def test_a_command_that_is_not_there_cannot_start(kube: Kube, namespace: str) -> None:
    found = run(kube, namespace, pod("p", "x", container={"command": ["no-such-command"]}))
    code, reason, message = terminated(found)
    assert (code, reason) == (128, "StartError")
    assert 'exec: "no-such-command": executable file not found in $PATH' in str(message)


def test_an_image_that_is_not_there_is_pulled_again_and_again(kube: Kube, namespace: str) -> None:
    body = pod("p", "true")
    body["spec"]["containers"][0]["image"] = "not/there:1"
    kube.core.create_namespaced_pod(namespace, body)

    def waiting() -> str:
        statuses = kube.core.read_namespaced_pod("p", namespace).status.container_statuses or []
        return statuses[0].state.waiting.reason if statuses else ""

    eventually(lambda: waiting() == "ErrImagePull")
    eventually(lambda: waiting() == "ImagePullBackOff")
    answer = kube.http.get(f"api/v1/namespaces/{namespace}/pods/p/log")
    assert answer.status_code == 400
    assert "is waiting to start" in answer.json()["message"]


def test_a_pod_waits_for_the_secret_it_needs(kube: Kube, namespace: str) -> None:
    body = pod("p", "echo $X", container={"envFrom": [{"secretRef": {"name": "late"}}]})
    kube.core.create_namespaced_pod(namespace, body)

    def waiting() -> Any:
        statuses = kube.core.read_namespaced_pod("p", namespace).status.container_statuses or []
        return statuses and statuses[0].state.waiting

    eventually(lambda: waiting() and waiting().reason == "CreateContainerConfigError")
    assert waiting().message == 'secret "late" not found'
    kube.core.create_namespaced_secret(namespace, {"metadata": {"name": "late"}, "stringData": {"X": "came"}})
    pod_ended(kube, namespace, "p")
    assert log(kube, namespace, "p") == "came\n"


def test_deletion_asks_first_and_kills_after_the_grace_period(kube: Kube, namespace: str) -> None:
    polite = pod(
        "polite", "trap 'echo asked; exit 0' TERM; sleep 60 & wait", terminationGracePeriodSeconds=30
    )
    deaf = pod("deaf", "trap '' TERM; sleep 60 & while true; do wait; done", terminationGracePeriodSeconds=1)
    for body in (polite, deaf):
        kube.core.create_namespaced_pod(namespace, body)
    for body in (polite, deaf):
        pod_running(kube, namespace, body["metadata"]["name"])
        left = kube.core.delete_namespaced_pod(body["metadata"]["name"], namespace)
        assert left.metadata.deletion_grace_period_seconds == body["spec"]["terminationGracePeriodSeconds"]
    eventually(lambda: kube.core.list_namespaced_pod(namespace).items == [])
    events = kube.core.list_namespaced_event(namespace, field_selector="reason=Killing").items
    assert {one.involved_object.name for one in events} == {"polite", "deaf"}


def test_no_process_outlives_its_container(kube: Kube, namespace: str) -> None:
    body = pod("p", "timeout 300 sleep 271.828 & sleep 0.3; exit 3")  # timeout makes a group of its own
    assert terminated(run(kube, namespace, body))[0] == 3
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if "271.828" in words(path)]


def words(path: Path) -> list[str]:
    try:
        return path.read_text().split("\0")
    except OSError:
        return []


def test_a_forced_deletion_does_not_wait(kube: Kube, namespace: str) -> None:
    body = pod("p", "trap '' TERM; sleep 60 & while true; do wait; done", terminationGracePeriodSeconds=60)
    kube.core.create_namespaced_pod(namespace, body)
    pod_running(kube, namespace, "p")
    kube.core.delete_namespaced_pod("p", namespace, grace_period_seconds=0)
    with pytest.raises(ApiException) as gone:
        kube.core.read_namespaced_pod("p", namespace)
    assert gone.value.status == 404


def test_a_pod_past_its_deadline_fails(kube: Kube, namespace: str) -> None:
    found = run(kube, namespace, pod("p", "sleep 60", activeDeadlineSeconds=1))
    assert (found.status.phase, found.status.reason) == ("Failed", "DeadlineExceeded")


def test_more_memory_than_the_limit_is_fatal(kube: Kube, namespace: str) -> None:
    eater = "x=$(head -c 200000000 /dev/zero | tr '\\0' x); sleep 60"
    found = run(kube, namespace, pod("p", eater, container={"resources": {"limits": {"memory": "50Mi"}}}))
    assert terminated(found) == (137, "OOMKilled", None)


def test_more_in_a_volume_than_its_limit_is_evicted(kube: Kube, namespace: str) -> None:
    body = pod(
        "p",
        "head -c 3000000 /dev/zero > /data/x; sleep 60",
        container={"volumeMounts": [{"name": "d", "mountPath": "/data"}]},
    )
    body["spec"]["volumes"] = [{"name": "d", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}]
    found = run(kube, namespace, body)
    assert (found.status.phase, found.status.reason) == ("Failed", "Evicted")
    assert found.status.message == 'Usage of EmptyDir volume "d" exceeds the limit "1Mi". '


def test_a_container_is_restarted_on_failure_only_where_asked(kube: Kube, namespace: str) -> None:
    script = "test -e /data/x || { touch /data/x; exit 1; }"
    body = pod(
        "p",
        script,
        restartPolicy="OnFailure",
        container={"volumeMounts": [{"name": "d", "mountPath": "/data"}]},
    )
    body["spec"]["volumes"] = [{"name": "d", "emptyDir": {}}]
    found = run(kube, namespace, body)
    assert found.status.phase == "Succeeded"
    status = found.status.container_statuses[0]
    assert (status.restart_count, status.last_state.terminated.exit_code) == (1, 1)


def test_the_story_of_a_pod_is_told_in_events(kube: Kube, namespace: str) -> None:
    run(kube, namespace, pod("p", "true"))
    found = kube.core.list_namespaced_event(namespace, field_selector="involvedObject.name=p").items
    assert [one.reason for one in found] == ["Scheduled", "Pulled", "Created", "Started"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"containers": []}, "spec.containers"),
        ({"containers": [{"name": "A", "image": "x"}]}, "spec.containers[0].name"),
        ({"containers": [{"name": "a"}]}, "spec.containers[0].image"),
        (
            {"containers": [{"name": "a", "image": "x"}, {"name": "a", "image": "x"}]},
            "spec.containers[1].name",
        ),
        ({"restartPolicy": "Sometimes"}, "spec.restartPolicy"),
        (
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "x"}}]},
            "spec.volumes[0].persistentVolumeClaim",
        ),
        (
            {"initContainers": [{"name": "s", "image": "x", "restartPolicy": "Always"}]},
            "spec.initContainers[0].restartPolicy",
        ),
    ],
)
def test_what_a_pod_may_not_be_is_refused(
    kube: Kube, namespace: str, spec: dict[str, Any], field: str
) -> None:
    body = pod("p", "true")
    body["spec"] |= spec
    refused = kube.http.post(f"api/v1/namespaces/{namespace}/pods", json=body).json()
    assert refused["code"] == 422
    assert [cause["field"] for cause in refused["details"]["causes"]] == [field]


def expression(operator: str, *values: str) -> dict[str, Any]:
    terms = [{"matchExpressions": [{"key": "disk", "operator": operator, "values": list(values)}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {"affinity": {"nodeAffinity": required}}


@pytest.mark.parametrize(
    ("affinity", "reason"),
    [
        (expression("Like", "x"), "FieldValueNotSupported"),
        (expression("In"), "FieldValueRequired"),
        (expression("Gt", "many"), "FieldValueRequired"),
    ],
)
def test_a_node_affinity_that_makes_no_sense_is_refused(
    kube: Kube, namespace: str, affinity: dict[str, Any], reason: str
) -> None:
    refused = kube.http.post(f"api/v1/namespaces/{namespace}/pods", json=pod("p", "true", **affinity)).json()
    assert (refused["code"], [cause["reason"] for cause in refused["details"]["causes"]]) == (422, [reason])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"resources": {"requests": {"cpu": "-1"}}}, "spec.containers[0].resources.requests[cpu]"),
        (
            {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}},
            "spec.containers[0].resources.requests",
        ),
        ({"volumeMounts": [{"name": "none", "mountPath": "/x"}]}, "spec.containers[0].volumeMounts[0].name"),
        ({"volumeMounts": [{"name": "none"}]}, "spec.containers[0].volumeMounts[0].mountPath"),
        ({"env": [{"name": "A=B", "value": "x"}]}, "spec.containers[0].env[0].name"),
        ({"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}, "spec.containers[0].lifecycle"),
    ],
)
def test_what_a_container_may_not_be_is_refused(
    kube: Kube, namespace: str, change: dict[str, Any], field: str
) -> None:
    body = pod("p", "true", container=change)
    refused = kube.http.post(f"api/v1/namespaces/{namespace}/pods", json=body).json()
    assert refused["code"] == 422
    assert [cause["field"] for cause in refused["details"]["causes"]] == [field]


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "a" * 254, "dot.", "a/b"])
def test_a_name_that_is_no_dns_name_is_refused(kube: Kube, namespace: str, name: str) -> None:
    refused = kube.http.post(f"api/v1/namespaces/{namespace}/pods", json=pod(name, "true")).json()
    assert refused["code"] == 422
    assert [cause["field"] for cause in refused["details"]["causes"]] == ["metadata.name"]


def test_the_spec_of_a_pod_may_not_change(kube: Kube, namespace: str) -> None:
    kube.core.create_namespaced_pod(namespace, pod("p", "sleep 60"))
    with pytest.raises(ApiException, match="pod updates may not change fields other than") as refused:
        kube.core.patch_namespaced_pod("p", namespace, {"spec": {"nodeSelector": {"a": "b"}}})
    assert refused.value.status == 422
    kube.core.patch_namespaced_pod("p", namespace, {"metadata": {"labels": {"a": "b"}}})


def test_a_data_object_has_limits(kube: Kube, namespace: str) -> None:
    path = f"api/v1/namespaces/{namespace}/configmaps"
    much = kube.http.post(path, json={"metadata": {"name": "c"}, "data": {"x": "y" * (1 << 20) + "y"}}).json()
    assert (much["code"], much["details"]["causes"][0]["reason"]) == (422, "FieldValueTooLong")
    bad = kube.http.post(path, json={"metadata": {"name": "c"}, "data": {"a/b": "y"}}).json()
    assert bad["details"]["causes"][0]["field"] == "data[a/b]"
    kube.core.create_namespaced_config_map(
        namespace, {"metadata": {"name": "c"}, "immutable": True, "data": {"x": "1"}}
    )
    with pytest.raises(ApiException, match="field is immutable when `immutable` is set"):
        kube.core.patch_namespaced_config_map("c", namespace, {"data": {"x": "2"}})
    secret = {"metadata": {"name": "s"}, "stringData": {"x": "plain"}}
    assert kube.core.create_namespaced_secret(namespace, secret).data == {
        "x": base64.b64encode(b"plain").decode()
    }

"""Pods: what a container is given, how it ends, and what is told of it.

The authority: kubernetes.io/docs/concepts/workloads/pods, and the tasks below kubernetes.io/docs/tasks.
"""

from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from space import SLEEP, Space, soon


def ended(pod: Any) -> tuple[int, str, str | None]:
    """Exit code, reason and message of a pod's container."""
    state = pod.status.container_statuses[0].state.terminated
    return state.exit_code, state.reason, state.message


def waiting(space: Space) -> Any:
    statuses = space.pod_now().status.container_statuses or []
    return statuses[0].state.waiting if statuses else None


@pytest.mark.parametrize(
    ("code", "phase", "reason"),
    [(0, "Succeeded", "Completed"), (65, "Failed", "Error"), (1, "Failed", "Error")],
)
def test_a_pod_ends_with_its_container(space: Space, code: int, phase: str, reason: str) -> None:
    """Pod lifecycle, Pod phase and Container states."""
    found = space.run_pod(space.pod(f"raise SystemExit({code})"))
    assert (found.status.phase, *ended(found)) == (phase, code, reason, None)
    told = {one.type: one.status for one in found.status.conditions}
    assert [told[kind] for kind in ("PodScheduled", "Initialized")] == ["True", "True"]
    assert [told[kind] for kind in ("Ready", "ContainersReady")] == ["False", "False"]


def test_a_container_sees_the_environment_it_is_given(space: Space) -> None:
    """Define environment variables; Downward API; an optional key that is not there sets nothing."""
    binary = {"binaryData": {"NO_VARIABLE": "AAE="}}
    space.make(space.config_map("c", {"FROM_MAP": "map", "key": "value"}) | binary)
    space.make(space.secret("s", AWS_SECRET="hush"))
    config, secret = f"{space.test}-c", f"{space.test}-s"
    env: list[dict[str, Any]] = [
        {"name": "PLAIN", "value": "1"},
        {"name": "NESTED", "value": "$(PLAIN)+$(FROM_MAP)+$(UNKNOWN)+$$(PLAIN)"},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "TEST", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['higgs-suite/test']"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": config, "key": "key"}}},
        {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "none", "key": "x", "optional": True}}},
    ]
    container = {
        "env": env,
        "envFrom": [{"configMapRef": {"name": config}}, {"secretRef": {"name": secret}, "prefix": "MY_"}],
    }
    script = "import os\nfor name in os.environ: print(name, os.environ[name])"
    pod = space.run_pod(space.pod(script, container=container))
    seen = dict(line.split(" ", 1) for line in space.log().splitlines())
    assert not {"NONE", "NO_VARIABLE"} & seen.keys()
    assert seen["HOSTNAME"] == space.test
    sources = {"FROM_MAP": "map", "key": "value", "MY_AWS_SECRET": "hush", "KEY": "value"}
    plain = {"PLAIN": "1", "NESTED": "1+map+$(UNKNOWN)+$(PLAIN)"}
    own = {"NAME": space.test, "TEST": space.test, "NODE": pod.spec.node_name}
    assert seen.items() >= (sources | plain | own).items()


def test_variables_in_a_command_are_expanded_and_two_dollars_stand_for_one(space: Space) -> None:
    """Define a Command and Arguments for a Container; what is not known stays as it is written."""
    container = {"args": ["$(WHO)", "$$(WHO)", "$(NOBODY)"], "env": [{"name": "WHO", "value": "I"}]}
    space.run_pod(space.pod("import sys; print(*sys.argv[1:])", container=container))
    assert space.log() == "I $(WHO) $(NOBODY)\n"


def test_init_containers_run_one_after_another_before_the_others(space: Space) -> None:
    """Init containers; an emptyDir is shared by all containers of a pod."""
    mounts = [{"name": "d", "mountPath": "/data"}]
    script = "open('/data/x', 'a').write('{}')"
    init = [space.container(script.format(name), name=name, volumeMounts=mounts) for name in "ab"]
    more = {"initContainers": init, "volumes": [{"name": "d", "emptyDir": {}}]}
    script = "print(open('/data/x').read())"
    found = space.run_pod(space.pod(script, container={"volumeMounts": mounts}, **more))
    assert space.log() == "ab\n"
    assert [one.state.terminated.exit_code for one in found.status.init_container_statuses] == [0, 0]


def test_a_failed_init_container_fails_the_pod(space: Space) -> None:
    """Init containers: with restartPolicy Never the pod has failed, and the others never start."""
    init = [space.container("raise SystemExit(7)", name="a")]
    found = space.run_pod(space.pod("print('never')", initContainers=init))
    assert found.status.phase == "Failed"
    assert found.status.init_container_statuses[0].state.terminated.exit_code == 7
    assert found.status.container_statuses[0].state.waiting.reason == "PodInitializing"


@pytest.mark.parametrize(
    ("script", "policy", "message"),
    [
        ("print('noise'); open('/dev/termination-log', 'w').write('no input')", "File", "no input"),
        ("print('last words')", "FallbackToLogsOnError", "last words"),
    ],
)
def test_the_termination_message_is_what_the_container_wrote_or_the_end_of_its_log_where_asked(
    space: Space, script: str, policy: str, message: str
) -> None:
    """Determine the Reason for Pod Failure: /dev/termination-log, FallbackToLogsOnError."""
    asked = {"terminationMessagePolicy": policy}
    found = ended(space.run_pod(space.pod(f"{script}; raise SystemExit(1)", container=asked)))
    assert (*found[:2], str(found[2]).strip()) == (1, "Error", message)


def test_a_command_that_is_not_there_cannot_start(space: Space) -> None:
    """Not documented, but what every runtime tells: exit code 128 or 127, and the command's name."""
    code, reason, message = ended(space.run_pod(space.pod("", container={"command": ["no-such-command"]})))
    assert code in (127, 128)
    assert reason in ("StartError", "ContainerCannotRun")
    assert "no-such-command" in str(message)


def test_an_image_that_is_not_there_is_pulled_again_and_again(space: Space) -> None:
    """Images, ImagePullBackOff; there is no log of what has not begun."""
    space.make(space.pod("", container={"image": "not.there.invalid/none:1"}))
    soon(lambda: waiting(space) and waiting(space).reason == "ImagePullBackOff")
    answer = space.kube.http.get(f"{space.path('Pod', space.test)}/log")
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
    assert "is waiting to start" in answer.json()["message"]
    soon(lambda: {"Failed", "BackOff"} <= {one.reason for one in space.events("Pod", space.test)})


def test_a_pod_waits_for_the_secret_it_needs(space: Space) -> None:
    """Secrets, Restriction: a reference that is not optional keeps the container from starting."""
    name = f"{space.test}-late"
    script = "import os; print(os.environ['X'])"
    space.make(space.pod(script, container={"envFrom": [{"secretRef": {"name": name}}]}))
    soon(lambda: waiting(space) and waiting(space).reason == "CreateContainerConfigError")
    assert waiting(space).message == f'secret "{name}" not found'
    space.make(space.secret("late", X="came"))
    space.ended_pod()
    assert space.log() == "came\n"


@pytest.mark.parametrize(("handler", "grace"), [("lambda *_: sys.exit(0)", None), ("signal.SIG_IGN", 2)])
def test_deletion_asks_first_and_kills_after_the_grace_period(
    space: Space, handler: str, grace: int | None
) -> None:
    """Pod lifecycle, Termination of Pods: SIGTERM, SIGKILL, and the pod is gone when its containers are."""
    script = f"import signal, sys, time\nsignal.signal(signal.SIGTERM, {handler})\n"
    script += "print('ready', flush=True); time.sleep(600)"
    space.make(space.pod(script, terminationGracePeriodSeconds=600))
    space.running_pod()
    soon(lambda: "ready" in space.log())
    given = {"grace_period_seconds": grace} if grace else {}
    left = space.kube.core.delete_namespaced_pod(space.test, space.namespace, **given)
    assert left.metadata.deletion_grace_period_seconds == (grace or 600)
    soon(lambda: gone(space))
    soon(lambda: "Killing" in {one.reason for one in space.events("Pod", space.test)})


def test_a_forced_deletion_does_not_wait(space: Space) -> None:
    """Pod lifecycle, Forced Pod termination: the API forgets the pod at once."""
    space.make(space.pod(SLEEP, terminationGracePeriodSeconds=600))
    space.running_pod()
    space.kube.core.delete_namespaced_pod(space.test, space.namespace, grace_period_seconds=0)
    assert gone(space)


def gone(space: Space) -> bool:
    try:
        space.pod_now()
    except ApiException as error:
        return bool(error.status == 404)
    return False


def test_a_container_is_restarted_on_failure_only_where_asked(space: Space) -> None:
    """Pod lifecycle, Container restart policy: OnFailure restarts in place, volumes stay."""
    script = "import os, sys\nif not os.path.exists('/data/x'): open('/data/x', 'w'); sys.exit(1)"
    container = {"volumeMounts": [{"name": "d", "mountPath": "/data"}]}
    more = {"restartPolicy": "OnFailure", "volumes": [{"name": "d", "emptyDir": {}}]}
    found = space.run_pod(space.pod(script, container=container, **more))
    status = found.status.container_statuses[0]
    assert (found.status.phase, status.restart_count) == ("Succeeded", 1)
    assert status.last_state.terminated.exit_code == 1


def test_the_story_of_a_pod_is_told_in_events(space: Space) -> None:
    space.run_pod(space.pod(""))
    wanted = ["Scheduled", "Pulled", "Created", "Started"]

    def story() -> list[str]:
        return [one.reason for one in space.events("Pod", space.test) if one.reason in wanted]

    soon(lambda: len(story()) == 4)
    assert sorted(story()) == sorted(wanted)

"""Killing and starting the server: nothing is lost, nothing is counted twice, no process is left behind."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from demo_stack import command_line
from localkube_server import SOURCE, Server, eventually, processes, shell_space
from space import FAIL_INDEX, Space

IGNORE_DISRUPTION = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}


def space_on(server: Server, **shape: Any) -> Space:
    """Return what a test has in a new cluster."""
    return shell_space(server.create_cluster("c", **shape))


def started(server: Server, mark: str) -> list[int]:
    """Return the processes of a pod that leaves its session."""
    space = space_on(server)
    env = [{"name": "MARK", "value": mark}]
    space.make(space.pod("timeout 300 sleep 300 & sleep 300", container={"env": env}))
    space.running_pod()
    return eventually(lambda: [one for one in [processes(mark)] if len(one) == 4])[0]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_the_server(own_server: Server, number: signal.Signals) -> None:
    mark = f"mark-{own_server.port}"
    assert started(own_server, mark)
    own_server.end(number)
    eventually(lambda: processes(mark) == [])


def test_a_restart_keeps_address_tokens_objects_and_versions(own_server: Server) -> None:
    kube = own_server.create_cluster("c", nodes=2)
    own_server.create_cluster("d")
    body = {"metadata": {"name": "kept"}, "data": {"x": "1"}}
    made = kube.core.create_namespaced_config_map("default", body)
    kube.core.create_namespaced_config_map("default", {"metadata": {"name": "gone"}})
    kube.core.delete_namespaced_config_map("gone", "default")
    before = (own_server.state / "kubeconfig").read_bytes()
    version = kube.core.list_node().metadata.resource_version
    own_server.end(signal.SIGKILL)
    own_server.start()
    assert (own_server.state / "kubeconfig").read_bytes() == before
    eventually(lambda: kube.core.read_namespaced_config_map("kept", "default") == made)
    names = [one.metadata.name for one in kube.core.list_namespaced_config_map("default").items]
    assert names == ["kept", "kube-root-ca.crt"]
    assert len(kube.core.list_node().items) == 2
    assert int(kube.core.list_node().metadata.resource_version) > int(version)
    since = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "1"}
    assert kube.http.get("api/v1/namespaces/default/configmaps", params=since).status_code == 410


def test_running_pods_are_reported_lost_and_cost_no_retry(own_server: Server, tmp_path: Path) -> None:
    space = space_on(own_server, nodes=2, cpu="4")
    script = f"echo started >> {tmp_path}/index-$JOB_COMPLETION_INDEX; test -e {tmp_path}/go || sleep 300"
    space.make(space.indexed_job(script, 3, backoffLimitPerIndex=0, podFailurePolicy=IGNORE_DISRUPTION))
    space.ready_pods(3)
    own_server.end(signal.SIGKILL)
    (tmp_path / "go").touch()
    own_server.start()
    status = space.ended_job()
    assert (status.succeeded, status.failed, status.completed_indexes) == (3, None, "0-2")
    pods = space.pods()
    lost = [one for one in pods if one.status.phase == "Failed"]
    assert len(pods) == 6
    told = {(one.status.reason, one.status.conditions[-1].type) for one in lost}
    assert told <= {("NodeLost", "DisruptionTarget")}
    ended = {one.status.container_statuses[0].state.terminated.reason for one in lost}
    assert ended == {"ContainerStatusUnknown"}
    assert [path.read_text().count("started") for path in sorted(tmp_path.glob("index-*"))] == [2, 2, 2]


def test_a_job_is_counted_right_through_many_kills(own_server: Server, tmp_path: Path) -> None:
    space = space_on(own_server, nodes=1, cpu="4", pods=6)
    runs = tmp_path / "runs"
    runs.mkdir()
    index = "JOB_COMPLETION_INDEX"
    script = f"sleep 0.2; touch {runs}/${index}; exit $(( {index} % 10 == 7 ? 65 : 0 ))"
    policy = {"rules": [FAIL_INDEX, *IGNORE_DISRUPTION["rules"]]}
    space.make(space.indexed_job(script, 40, backoffLimitPerIndex=3, podFailurePolicy=policy))
    for done in (5, 12, 20, 28):
        eventually(lambda done=done: len(list(runs.iterdir())) >= done, f"{done} indexes ran")
        own_server.end(signal.SIGKILL)
        own_server.start()
    status = space.ended_job()
    assert (status.completed_indexes, status.failed_indexes) == ("0-6,8-16,18-26,28-36,38,39", "7,17,27,37")
    assert (status.succeeded, status.failed) == (36, 4)
    assert not any(one.metadata.finalizers for one in space.pods())


def test_daemons_start_again(own_server: Server) -> None:
    space = space_on(own_server, nodes=2)
    space.make(space.daemon_set("sleep 300"))

    def ready() -> bool:
        found = space.kube.apps.read_namespaced_daemon_set(space.test, space.namespace)
        return bool(found.status.number_ready == 2)

    eventually(ready)
    before = {one.metadata.uid for one in space.pods()}
    own_server.end(signal.SIGTERM)
    own_server.start()

    def restarted() -> bool:
        counts = [one.status.container_statuses[0].restart_count for one in space.pods()]
        return {one.metadata.uid for one in space.pods()} == before and counts == [1, 1] and ready()

    eventually(restarted)


def test_a_reaper_that_is_killed_is_replaced(own_server: Server) -> None:
    mark = f"mark-{own_server.port}"
    assert started(own_server, mark)
    first = reapers(own_server)
    os.kill(first[0], signal.SIGKILL)
    eventually(lambda: [one for one in [reapers(own_server)] if len(one) == 1 and one != first])
    own_server.end(signal.SIGKILL)
    eventually(lambda: processes(mark) == [])


def reapers(server: Server) -> list[int]:
    assert server.process is not None
    children = psutil.Process(server.process.pid).children()
    return [one.pid for one in children if "reaper.py" in " ".join(command_line(one))]


def test_a_pod_that_was_being_deleted_is_gone_after_a_restart(own_server: Server) -> None:
    space = space_on(own_server)
    core, script = space.kube.core, "trap '' TERM; sleep 300 & while true; do wait; done"
    for policy in ("Never", "Always"):
        body = space.pod(script, policy.lower(), terminationGracePeriodSeconds=300, restartPolicy=policy)
        name = space.make(body).metadata.name
        space.running_pod(policy.lower())
        core.delete_namespaced_pod(name, space.namespace)
    own_server.end(signal.SIGKILL)
    own_server.start()
    eventually(lambda: core.list_namespaced_pod(space.namespace).items == [])


def test_a_node_that_a_client_made_is_in_nobodys_way(own_server: Server) -> None:
    space = space_on(own_server, nodes=1)
    space.kube.core.create_node({"metadata": {"name": "made-by-hand"}})
    own_server.end(signal.SIGKILL)
    own_server.start()
    assert space.run_pod(space.pod("true")).spec.node_name == "c-node-0"
    assert space.kube.core.read_node("made-by-hand").status is None, "no kubelet says that it is ready"


def start(server: Server, *extra: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"]}
    return subprocess.run(
        [*server.command(), *extra], capture_output=True, text=True, env=environment, timeout=60
    )


def test_a_state_directory_has_one_server(own_server: Server) -> None:
    second = start(own_server)
    told = f"localkube: another localkube serves {own_server.state}; stop it or choose another --state\n"
    assert (second.returncode, second.stderr) == (1, told)


def test_a_port_that_is_taken_is_named(own_server: Server, tmp_path: Path) -> None:
    third = start(own_server, "--state", str(tmp_path / "third"))
    assert third.returncode == 1
    assert f"localkube: cannot listen on 127.0.0.1:{own_server.port}: " in third.stderr
    assert "Choose another with --port" in third.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Input data was truncated"),
        ("[]", "Expected `object`, got `array`"),
        ('{"a:1": {"Entrypoint": "x"}}', "Expected `array`, got `str` - at `$.Entrypoint`"),
        ('{"a:1": {"Command": []}}', "User, Labels: Object contains unknown field `Command`"),
    ],
)
def test_an_images_file_that_makes_no_sense_is_refused(tmp_path: Path, text: str, message: str) -> None:
    server = Server(tmp_path / "state")
    server.images.write_text(text)
    refused = start(server)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"localkube: images file {server.images}: ")
    assert message in refused.stderr


def test_images_may_change_while_the_server_runs_also_those_of_other_files(
    own_server: Server, tmp_path: Path
) -> None:
    space = space_on(own_server)
    pattern = {str(tmp_path / "*/image.json"): {"Cmd": ["-c", "echo $WHO in ${PWD##*/}"], "Env": ["WHO=me"]}}
    own_server.images.write_text(json.dumps(pattern))
    main = {"name": "main", "image": "new:1", "imagePullPolicy": "Never"}
    space.make(space.pod("", containers=[main]))

    def waits_for() -> str:
        (status,) = space.pod_now().status.container_statuses or [None]
        return str(status and status.state.waiting and status.state.waiting.message)

    eventually(lambda: "add it to the images file" in waits_for())
    file = tmp_path / "mine" / "image.json"
    file.parent.mkdir()
    file.write_text('{"new:1"')
    eventually(lambda: f"images file {file}: Input data was truncated" in waits_for())
    file.write_text('{"new:1": {"Entrypoint": ["/bin/sh"]}}')
    assert space.ended_pod().status.phase == "Succeeded"
    assert space.log() == "me in mine\n"

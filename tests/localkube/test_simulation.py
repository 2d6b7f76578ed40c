"""Simulated nodes: pods that finish after a set time, without a process."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localkube_server import Server, container, eventually, indexed_job, job_ended


def test_simulated_pods_finish_without_running_anything(server: Server) -> None:
    kube = server.create_cluster("rehearsal", nodes=3, simulate={"seconds": 0.2})
    job = indexed_job("j", "touch /cannot; exit 1", 60, backoffLimitPerIndex=0)
    job["spec"]["template"]["spec"]["initContainers"] = [container("exit 1", name="init")]
    kube.batch.create_namespaced_job("default", job)
    status = job_ended(kube, "default", "j").status
    assert (status.succeeded, status.completed_indexes) == (60, "0-59")
    first = kube.core.list_namespaced_pod("default", limit=1).items[0]
    assert first.status.container_statuses[0].state.terminated.exit_code == 0
    assert first.status.init_container_statuses[0].ready
    assert kube.http.get(f"api/v1/namespaces/default/pods/{first.metadata.name}/log").text == ""
    assert not (server.state / "clusters" / "rehearsal" / "pods").exists()


def test_a_simulated_daemon_stays(server: Server) -> None:
    kube = server.create_cluster("daemons", nodes=4, simulate={"seconds": 0.1})
    labels = {"app": "d"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container("true")]}}
    body = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": labels}, "template": template}}
    kube.apps.create_namespaced_daemon_set("default", body)
    eventually(lambda: kube.apps.read_namespaced_daemon_set("d", "default").status.number_ready == 4)
    kube.apps.delete_namespaced_daemon_set("d", "default")
    eventually(lambda: kube.core.list_namespaced_pod("default").items == [])


STAND_IN = """
import json, sys
for line in sys.stdin:
    told = json.loads(line)
    index = int(told["pod"]["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"])
    if index == 7:
        sys.exit(told["cluster"])
    print(json.dumps({"id": told["id"], "exitCode": 65 if index == 2 else 0}), flush=True)
"""


@pytest.fixture
def standing_in(tmp_path: Path) -> Iterator[Server]:
    """Yield a server with a process that stands in for the containers of simulated pods."""
    program = tmp_path / "stand_in.py"
    program.write_text(STAND_IN)
    running = Server(tmp_path / "state", LOCALKUBE_SIMULATION=f"{sys.executable} {program}")
    running.start()
    yield running
    running.end()


def test_a_process_stands_in_for_the_containers_and_is_started_again(standing_in: Server) -> None:
    kube = standing_in.create_cluster("one", nodes=1, cpu="1", simulate={"seconds": 0.05})
    for name, pods, failed in (("j", 6, "2"), ("k", 9, "2,7")):
        job = indexed_job(name, "true", pods, backoffLimitPerIndex=0, parallelism=1)
        kube.batch.create_namespaced_job("default", job)
        assert job_ended(kube, "default", name).status.failed_indexes == failed

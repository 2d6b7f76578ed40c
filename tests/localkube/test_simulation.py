"""Simulated nodes: pods that finish after a set time, without a process."""

import sys
from pathlib import Path

from localkube_server import Server, eventually, localkube, shell_space


def test_simulated_pods_finish_without_running_anything(server: Server) -> None:
    space = shell_space(server.create_cluster("rehearsal", nodes=3, simulate={"seconds": 0.2}))
    init = {"initContainers": [space.container("exit 1", name="init")]}
    status = space.run_job(space.indexed_job("touch /cannot; exit 1", 60, backoffLimitPerIndex=0, pod=init))
    assert (status.succeeded, status.completed_indexes) == (60, "0-59")
    first = space.pods()[0]
    assert first.status.container_statuses[0].state.terminated.exit_code == 0
    assert first.status.init_container_statuses[0].ready
    assert space.kube.http.get(f"{space.path('Pod', first.metadata.name)}/log").text == ""
    assert not (server.state / "clusters" / "rehearsal" / "pods").exists()
    told = [one.reason for one in space.kube.core.list_namespaced_event("default").items]
    assert (told.count("SuccessfulCreate"), told.count("Scheduled"), told.count("Completed")) == (25, 60, 1)


def test_a_simulated_daemon_stays(server: Server) -> None:
    kube = server.create_cluster("daemons", nodes=4, simulate={"seconds": 0.1})
    space = shell_space(kube, test="d")
    space.make(space.daemon_set("true"))
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


def test_a_process_stands_in_for_the_containers_and_is_started_again(tmp_path: Path) -> None:
    program = tmp_path / "stand_in.py"
    program.write_text(STAND_IN)
    with localkube(tmp_path, LOCALKUBE_SIMULATION=f"{sys.executable} {program}") as server:
        kube = server.create_cluster("one", nodes=1, cpu="1", simulate={"seconds": 0.05})
        for name, pods, failed in (("j", 6, "2"), ("k", 9, "2,7")):
            space = shell_space(kube, test=name)
            job = space.indexed_job("true", pods, backoffLimitPerIndex=0, parallelism=1)
            assert space.run_job(job).failed_indexes == failed

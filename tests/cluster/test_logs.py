"""Logs of containers: whole, their end, as they grow, and of the run before."""

from space import Space, soon


def test_a_log_is_told_whole_or_in_part(space: Space) -> None:
    """API reference, read log of the specified Pod."""
    space.run_pod(space.pod("for n in (1, 2, 3): print(n)"))
    assert space.log() == "1\n2\n3\n"
    assert space.log(tailLines=2) == "2\n3\n"
    assert space.log(limitBytes=3) == "1\n2"
    assert space.log(follow="true") == "1\n2\n3\n"


def test_with_several_containers_one_must_be_named(space: Space) -> None:
    body = space.pod("print('main')")
    body["spec"]["containers"].append(space.container("print('side')", name="side"))
    space.run_pod(body)
    answer = space.kube.http.get(f"{space.path('Pod', space.test)}/log")
    message = f"a container name must be specified for pod {space.test}, choose one of: [main side]"
    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert space.log(container="side") == "side\n"
    answer = space.kube.http.get(f"{space.path('Pod', space.test)}/log", params={"container": "none"})
    assert answer.json()["message"] == f"container none is not valid for pod {space.test}"


def test_the_run_before_has_a_log_of_its_own(space: Space) -> None:
    """Debug Running Pods: --previous."""
    script = "import time; print(time.time_ns(), flush=True); time.sleep(2); raise SystemExit(1)"
    space.make(space.pod(script, restartPolicy="Always"))

    def restarted() -> bool:
        statuses = space.pod_now().status.container_statuses
        return bool(statuses) and statuses[0].restart_count == 1 and statuses[0].state.running is not None

    soon(restarted)
    before = space.log(previous="true")
    now = soon(space.log)
    assert before.strip().isdigit()
    assert before != now

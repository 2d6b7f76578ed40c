"""What somebody ends by hand leaves no work that nobody watches; what goes on elsewhere is not stopped."""

import signal
from contextlib import suppress
from typing import Any

import psutil
import pytest

from demo.airflow_api import AirflowAwayError, TaskInstance
from demo_stack import DAG, Stack, command_line, eventually

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]
WAIT = "cluster.wait_for_jobs"


def held(stack: Stack, run: str) -> list[psutil.Process]:
    """The pods of a run in which the triggerer waits for the Jobs of every cluster; they stand still.

    A wait that is marked before the triggerer has begun it is stopped by another task.
    """
    logs = stack.settings.airflow_home / "logs" / f"dag_id={DAG}" / f"run_id={run}" / f"task_id={WAIT}"

    def all_held() -> list[psutil.Process] | None:
        pods = stack.pods()
        for pod in pods:  # at once, for those of the first cluster may be through before the last one waits
            with suppress(psutil.NoSuchProcess):
                pod.send_signal(signal.SIGSTOP)
        with suppress(AirflowAwayError):
            all_wait = [task.state for task in waits(stack, run).values()] == ["deferred"] * 3
            begun = ["shards" in log.read_text() for log in logs.glob("*/*.trigger.*")]
            return pods if all_wait and sum(begun) == 3 and len(pods) >= 4 else None
        return None

    return eventually(all_held, "all clusters wait, with a pod on each node")


def go_on(pods: list[psutil.Process]) -> None:
    """Let pods that stand still work on."""
    for pod in pods:
        if pod.is_running():
            pod.send_signal(signal.SIGCONT)


def waits(stack: Stack, run: str) -> dict[str, TaskInstance]:
    """The tasks that wait for Jobs, by cluster."""
    return {str(task.label): task for task in stack.airflow.tasks(DAG, run) if task.task_id == WAIT}


def counted(stack: Stack, run: str) -> tuple[Any, Any]:
    """Shards by state, and those that have a result and are in no list."""
    summary = stack.summary(run)
    return summary["shards"], summary["unexpected"]


EACH_ONCE = ({"expected": 76, "done": 76, "failed": 0, "missing": 0}, {})


def test_a_wait_marked_as_failed_stops_its_jobs_and_goes_on_when_it_is_cleared(stack: Stack) -> None:
    run = stack.trigger("marked", cleanup="none")
    pods = held(stack, run)
    stack.mark(run, waits(stack, run)["kubecon-demo-1"], "failed")
    eventually(lambda: stack.suspended("kubecon-demo-1") == {True}, "its Jobs are stopped")
    eventually(lambda: stack.running_pods("kubecon-demo-1") == 0, "its pods have ended")
    assert stack.running_pods("kubecon-demo-2") == 1
    assert stack.suspended("kubecon-demo-2") == {False}
    go_on(pods)
    assert stack.finish(run) == "failed"
    assert stack.tasks(run)["wait_for_jobs kubecon-demo-2"] == "success"
    stack.clear(run, waits(stack, run)["kubecon-demo-1"])
    assert stack.finish(run) == "success"
    assert counted(stack, run) == EACH_ONCE


def test_a_cleared_wait_goes_on_with_the_jobs_that_run(stack: Stack) -> None:
    run = stack.trigger("cleared", cleanup="none")
    pods = held(stack, run)
    wait = waits(stack, run)["kubecon-demo-2"]
    stack.clear(run, wait)
    eventually(
        lambda: (
            (now := waits(stack, run)["kubecon-demo-2"]).state == "deferred"
            and now.try_number > wait.try_number
        ),
        "it waits again",
    )
    assert stack.suspended("kubecon-demo-2") == {False}
    assert all(pod.is_running() for pod in pods)
    go_on(pods)
    assert stack.finish(run) == "success"
    assert counted(stack, run) == EACH_ONCE


def test_a_triggerer_that_is_told_to_stop_leaves_the_jobs_alone(stack: Stack) -> None:
    run = stack.trigger("restarted", cleanup="none")
    pods = held(stack, run)
    triggerer = stack.service("triggerer")
    triggerer.terminate()

    def another() -> bool:
        with suppress(psutil.NoSuchProcess):  # the supervisor has not seen it end yet
            return stack.service("triggerer").pid != triggerer.pid
        return False

    eventually(another, "another triggerer")
    go_on(pods)
    assert stack.finish(run) == "success"
    assert counted(stack, run) == EACH_ONCE
    assert {pod.pid for pod in pods if pod.is_running() and "workload" in command_line(pod)} == set()


def test_a_run_marked_as_failed_stops_its_jobs_cleans_up_and_ends_as_failed(stack: Stack) -> None:
    run = stack.trigger("ended", cleanup="clusters")
    pods = held(stack, run)
    stack.airflow.fail(DAG, run)
    assert stack.finish(run) == "failed"
    assert stack.contexts() == []
    tasks = stack.tasks(run)
    assert tasks["merge_results"] == "skipped"
    assert {state for name, state in tasks.items() if name.startswith(("cleanup", "delete"))} == {"success"}
    assert not any(pod.is_running() and "workload" in command_line(pod) for pod in pods)

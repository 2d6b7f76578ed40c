"""What somebody ends by hand leaves no work that nobody watches; what goes on elsewhere is not stopped."""

from contextlib import suppress
from typing import Any, NamedTuple

import psutil
import pytest

from bench.services import TaskInstance
from demo_stack import DAG, Stack, command_line, eventually, release

WAIT = "cluster.wait_for_jobs"
MAPPING = [  # a pod more than there are nodes on each cluster
    {
        "name": "kubecon-demo-0",
        "nodes": 2,
        "datasets": ["Simulated_Run2012B_DoubleMuParked", "Simulated_Run2012C_DoubleMuParked"],
    },
    {"name": "kubecon-demo-1", "datasets": ["Simulated_SMHiggsToZZTo4L_8TeV", "Simulated_ZZTo4mu_8TeV"]},
    {"name": "kubecon-demo-2", "datasets": ["Simulated_DYJetsToLL_7TeV", "Simulated_TTbar_8TeV"]},
]


def held(stack: Stack, run: str) -> list[psutil.Process]:
    """Return the pods of a run in which the triggerer waits for the Jobs of every cluster; they stand still.

    A wait that is marked before the triggerer has begun it is stopped by another task.
    """
    logs = stack.settings.airflow_home / "logs" / f"dag_id={DAG}" / f"run_id={run}" / f"task_id={WAIT}"

    def all_held() -> list[psutil.Process] | None:
        pods = stack.hold()  # at once, for the first cluster may be through before the last one waits
        begun = ["shards" in log.read_text() for log in logs.glob("*/*.trigger.*")]
        if len(pods) < 4 or sum(begun) < 3:
            return None
        all_wait = [task.state for task in waits(stack, run).values()] == ["deferred"] * 3
        return pods if all_wait else None

    return eventually(all_held, "all clusters wait, with a pod on each node", pause=0.15)


def waits(stack: Stack, run: str) -> dict[str, TaskInstance]:
    """Return the tasks that wait for Jobs, by cluster."""
    return {str(task.label): task for task in stack.airflow.tasks(DAG, run) if task.task_id == WAIT}


class Seen(NamedTuple):
    """What was seen of one run while one wait was marked, another cleared and the triggerer told to stop."""

    marked: set[bool]
    """Whether Jobs are suspended where the wait was marked as failed."""
    cleared: set[bool]
    restarted: set[bool]
    undisturbed: bool
    """Whether the pods of the other clusters were the same all the time."""
    states: list[str]
    """How the run ended, and ended again once the marked wait was cleared."""
    left: set[int]
    shards: tuple[Any, Any]
    """Shards by state, and those that have a result and are in no list."""


@pytest.fixture(scope="module")
def seen(stack: Stack) -> Seen:
    run = stack.trigger("by-hand", mapping=MAPPING, cleanup="none")
    pods = held(stack, run)
    stack.mark(run, waits(stack, run)["kubecon-demo-1"], "failed")
    eventually(lambda: stack.suspended("kubecon-demo-1") == {True}, "its Jobs are stopped")
    eventually(lambda: stack.running_pods("kubecon-demo-1") == 0, "its pods have ended")
    marked, others = stack.suspended("kubecon-demo-1"), {pod.pid for pod in pods if pod.is_running()}

    wait = waits(stack, run)["kubecon-demo-2"]
    stack.clear(run, wait)

    def waits_again() -> bool:
        now = waits(stack, run)["kubecon-demo-2"]
        return now.state == "deferred" and now.try_number > wait.try_number

    eventually(waits_again, "the cleared task waits again")
    cleared = stack.suspended("kubecon-demo-2")

    triggerer = stack.service("triggerer")
    triggerer.terminate()

    def another() -> bool:
        with suppress(psutil.NoSuchProcess):  # the supervisor has not seen it end yet
            return stack.service("triggerer").pid != triggerer.pid
        return False

    eventually(another, "another triggerer")
    restarted = stack.suspended("kubecon-demo-0") | stack.suspended("kubecon-demo-2")
    undisturbed = len(others) >= 3 and others == {pod.pid for pod in pods if pod.is_running()}
    release(pods)
    states = [stack.finish(run)]
    stack.clear(run, waits(stack, run)["kubecon-demo-1"])
    states.append(stack.finish(run))
    left = {pod.pid for pod in pods if pod.is_running() and "workload" in command_line(pod)}
    summary = stack.summary(run)
    shards = (summary["shards"], summary["unexpected"])
    return Seen(marked, cleared, restarted, undisturbed, states, left, shards)


EACH_ONCE = ({"expected": 32, "done": 32, "failed": 0, "missing": 0}, {})


def test_a_wait_marked_as_failed_stops_its_jobs_and_goes_on_when_it_is_cleared(seen: Seen) -> None:
    assert (seen.marked, seen.states, seen.shards) == ({True}, ["failed", "success"], EACH_ONCE)


def test_a_cleared_wait_goes_on_with_the_jobs_that_run(seen: Seen) -> None:
    assert (seen.cleared, seen.undisturbed, seen.shards) == ({False}, True, EACH_ONCE)


def test_a_triggerer_that_is_told_to_stop_leaves_the_jobs_alone(seen: Seen) -> None:
    assert (seen.restarted, seen.undisturbed, seen.left, seen.shards) == ({False}, True, set(), EACH_ONCE)


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

"""Whatever is killed in the middle of a campaign, every shard is counted once."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from demo.ports import HOST
from demo.session import Session, is_alive
from demo.settings import REPOSITORY, Settings
from demo.supervision import Supervision
from demo_stack import DAG, PATIENCE, Stack, eventually, kill, with_demo_files

if TYPE_CHECKING:
    from conftest import DemoRun


def results(stack: Stack, run: str, wanted: int = 0) -> set[str]:
    """Return the keys of the results so far; none while the store is away, or before there are so many."""
    with contextlib.suppress(BotoCoreError, ClientError):
        found = {key for key, _ in stack.output.objects(f"{DAG}/{run}/results/")}
        return found if len(found) >= wanted else set()
    return set()


def physics(stack: Stack, run: str) -> object:
    """All of a summary that must not hang on what was killed."""
    summary = stack.summary(run)
    datasets = summary["datasets"]
    return (
        summary["shards"],
        summary["yields"],
        summary["unexpected"],
        {name: (dataset["shards"], dataset["work"]["events"]) for name, dataset in datasets.items()},
    )


def kill_one(stack: Stack, part: str) -> psutil.Process | None:
    """Kill a service, or a pod, unless it has just ended by itself; return it."""
    for process in stack.pods() if part == "pod" else [stack.service(part)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            kill(process)
            return process
    return None


def kill_everything(stack: Stack) -> None:
    """Do what a power cut does."""
    session = Session.remembered(stack.supervision.session_file)
    assert session
    while members := session.members():
        for process in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                kill(process)
    stack.airflow.close()


class Disturbed(NamedTuple):
    """A run in the middle of which one part after the other was killed, and then everything at once."""

    run: str
    state: str
    replaced: set[str]
    """The parts that were killed and had all been replaced before everything was killed."""
    workers: list[bool]
    """Whether those of the scheduler that was killed lived then."""
    restored: list[bool]
    """Whether all results that were there when the store was killed were there again."""


@pytest.fixture(scope="module")
def disturbed(stack: Stack) -> Disturbed:
    run = stack.trigger("disturbed")
    killed: dict[str, psutil.Process] = {}

    def kill_after(shards: int, *parts: str) -> set[str]:
        there = eventually(lambda: results(stack, run, shards), f"{shards} shards are done")
        for part in parts:
            killed[f"{part} {shards}"] = eventually(lambda part=part: kill_one(stack, part), f"kill {part}")
        return there

    restored = []
    workers = eventually(lambda: stack.service("scheduler").children(recursive=True), "workers")
    kill_after(5, "scheduler", "triggerer", "pod")
    kill_after(15, "api-server", "dag-processor", "localkube")
    for shards in (25, 40):
        there = kill_after(shards, "s3")
        again = eventually(lambda there=there: there <= results(stack, run), "what was there is there again")
        restored.append(again)
    stack.hold()  # so that everything is killed in the middle
    eventually(lambda: {state.state for state in stack.supervision.states()} == {"RUNNING"}, "all run again")
    replaced = {part.split()[0] for part, process in killed.items() if not is_alive(process)}
    alive = [is_alive(worker) for worker in workers]
    there = results(stack, run)
    kill_everything(stack)
    stack.start()
    restored.append(there <= results(stack, run))
    return Disturbed(run, stack.finish(run), replaced, alive, restored)


def test_scheduler_triggerer_and_a_pod_killed_in_the_middle_are_replaced(disturbed: Disturbed) -> None:
    assert disturbed.replaced >= {"scheduler", "triggerer", "pod"}


def test_the_other_components_of_airflow_and_localkube_are_replaced_as_well(disturbed: Disturbed) -> None:
    assert disturbed.replaced >= {"api-server", "dag-processor", "localkube"}


def test_the_store_killed_thrice_in_the_middle_loses_no_result(disturbed: Disturbed) -> None:
    assert ("s3" in disturbed.replaced, disturbed.restored) == (True, [True, True, True])


def test_the_workers_of_a_killed_scheduler_do_not_live_on(disturbed: Disturbed) -> None:
    assert disturbed.workers
    assert not any(disturbed.workers)


def test_a_run_goes_on_after_each_part_and_everything_at_once_was_killed_and_costs_no_shard(
    stack: Stack, demo_run: "DemoRun", disturbed: Disturbed
) -> None:
    assert disturbed.state == "success"
    assert len(results(stack, disturbed.run)) == 76
    assert physics(stack, disturbed.run) == physics(stack, demo_run.name)


def test_a_run_whose_pods_know_a_store_that_is_elsewhere_now_is_ended(stack: Stack) -> None:
    run = stack.trigger("port-taken", clusters=["kubecon-demo-1"])
    eventually(lambda: results(stack, run, 1), "a shard is done")
    kill_everything(stack)
    with socket.create_server((HOST, stack.settings.ports.s3)):
        stack.start()
    assert stack.finish(run) == "failed"


def test_an_interrupted_demo_leaves_nothing_running_and_may_be_started_again(tmp_path: Path) -> None:
    state = with_demo_files(tmp_path / ".run")
    for how, running in ((signal.SIGTERM, 2), (signal.SIGINT, 6)):  # in the middle of the start, and after it
        demo = subprocess.Popen(
            [sys.executable, "-m", "demo", "--state", str(state), "run", "--campaign", "demo-local"],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": "plugins:include"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        supervision = Supervision(Settings.load(state))
        eventually(
            lambda these=supervision, most=running: (
                [one.state for one in these.states()].count("RUNNING") >= most
            ),
            f"{running} services run",
        )
        session = Session.remembered(supervision.session_file)
        assert session
        members = session.members()
        os.killpg(demo.pid, how)
        output, _ = demo.communicate(timeout=PATIENCE)
        assert demo.returncode == 130, output
        assert "Interrupted" in output
        assert not any(is_alive(member) for member in members)
        assert session.members() == []


def test_down_ends_all_services_though_the_supervisor_was_killed(tmp_path: Path) -> None:
    state = tmp_path / ".run"
    supervision = Supervision(Settings.load(state))
    supervision.start_supervisor()
    supervision.start(["s3", "localkube"])
    session = Session.remembered(supervision.session_file)
    assert session
    eventually(lambda: len(session.members()) >= 3, "the services run")
    members = session.members()
    kill(psutil.Process(session.leader))
    assert supervision.states() == []
    assert supervision.stop()
    assert not any(is_alive(member) for member in members)
    assert not supervision.stop()

"""Whatever is killed in the middle of a campaign, every shard is counted once."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from demo.ports import HOST
from demo.session import Session, is_alive
from demo.settings import REPOSITORY, Settings
from demo.supervision import Supervision
from demo_stack import DAG, Stack, eventually, kill

if TYPE_CHECKING:
    from conftest import DemoRun

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]


def shards_done(stack: Stack, run: str) -> int:
    """The number of results so far."""
    return sum(1 for _ in stack.output.objects(f"{DAG}/{run}/results/"))


def results(stack: Stack, run: str, wanted: int = 0) -> set[str]:
    """The keys of the results so far; none while the store is away, or before there are so many."""
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


def test_scheduler_triggerer_and_a_pod_killed_in_the_middle_cost_no_shard(
    stack: Stack, demo_run: "DemoRun"
) -> None:
    run = stack.trigger("disturbed")
    eventually(lambda: shards_done(stack, run) >= 5, "the first shards are done")
    killed = [stack.service("scheduler"), stack.service("triggerer"), eventually(stack.pods, "a pod")[0]]
    for process in killed:
        kill(process)
    assert stack.finish(run) == "success"
    assert not any(is_alive(process) for process in killed)
    assert shards_done(stack, run) == 76
    assert physics(stack, run) == physics(stack, demo_run.name)


def test_the_other_components_of_airflow_and_localkube_are_replaced_as_well(
    stack: Stack, demo_run: "DemoRun"
) -> None:
    run = stack.trigger("disturbed-again")
    eventually(lambda: shards_done(stack, run) >= 5, "the first shards are done")
    killed = [stack.service(name) for name in ("api-server", "dag-processor", "localkube")]
    for process in killed:
        kill(process)
    assert stack.finish(run) == "success"
    assert not any(is_alive(process) for process in killed)
    assert shards_done(stack, run) == 76
    assert physics(stack, run) == physics(stack, demo_run.name)


def test_the_store_killed_twice_in_the_middle_loses_no_result(stack: Stack, demo_run: "DemoRun") -> None:
    run = stack.trigger("store-killed")
    for wanted in (5, 30):
        there = eventually(lambda wanted=wanted: results(stack, run, wanted), f"{wanted} shards are done")
        store = stack.service("s3")
        kill(store)
        eventually(lambda there=there: there <= results(stack, run), "what was there is there again")
        assert not is_alive(store)
    assert stack.finish(run) == "success"
    assert shards_done(stack, run) == 76
    assert physics(stack, run) == physics(stack, demo_run.name)


def kill_everything(stack: Stack) -> None:
    """Do what a power cut does."""
    session = Session.remembered(stack.supervision.session_file)
    assert session
    while members := session.members():
        for process in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                kill(process)
    stack.airflow.close()


def test_a_run_goes_on_after_everything_was_killed_at_once(stack: Stack, demo_run: "DemoRun") -> None:
    run = stack.trigger("machine-down")
    eventually(lambda: shards_done(stack, run) >= 5, "the first shards are done")
    kill_everything(stack)
    stack.start()
    assert stack.finish(run) == "success"
    assert shards_done(stack, run) == 76
    assert physics(stack, run) == physics(stack, demo_run.name)


def test_a_run_whose_pods_know_a_store_that_is_elsewhere_now_is_ended(stack: Stack) -> None:
    run = stack.trigger("port-taken")
    eventually(lambda: shards_done(stack, run), "a shard is done")
    kill_everything(stack)
    with socket.create_server((HOST, stack.settings.ports.s3)):
        stack.start()
    assert stack.finish(run) == "failed"


def test_the_workers_of_a_killed_scheduler_do_not_live_on(stack: Stack) -> None:
    scheduler = stack.service("scheduler")
    workers = eventually(lambda: scheduler.children(recursive=True), "workers of the scheduler")
    kill(scheduler)
    eventually(lambda: not any(is_alive(worker) for worker in workers), "its workers are gone")
    assert stack.service("scheduler").pid != scheduler.pid


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_running(tmp_path: Path, how: signal.Signals) -> None:
    state = tmp_path / ".run"
    demo = subprocess.Popen(
        [sys.executable, "-m", "demo", "--state", str(state), "run"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": "plugins:include"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    supervision = Supervision(Settings.load(state))
    running = eventually(
        lambda: len([s for s in supervision.states() if s.state == "RUNNING"]) == 6, "all services run"
    )
    assert running
    session = Session.remembered(supervision.session_file)
    assert session
    members = session.members()
    os.killpg(demo.pid, how)
    output, _ = demo.communicate(timeout=120)
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

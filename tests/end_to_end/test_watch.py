"""The terminal's view of real runs."""

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from demo.settings import REPOSITORY
from demo_stack import DAG, Stack, eventually, release

if TYPE_CHECKING:
    from conftest import DemoRun


def watch(stack: Stack, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `make watch` runs."""
    return subprocess.run(
        stack.command("watch", *arguments),
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": "plugins:include", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_past_run_as_json(stack: Stack, demo_run: "DemoRun") -> None:
    done = watch(stack, "--run", demo_run.name, "--once", "--json")
    state = json.loads(done.stdout)
    assert (state["run"]["state"], state["total"]["total"], state["total"]["done"]) == ("success", 76, 76)
    counts = {cluster["name"]: cluster["shards"]["done"] for cluster in state["clusters"]}
    assert counts == {"kubecon-demo-0": 28, "kubecon-demo-1": 26, "kubecon-demo-2": 22}
    assert "chart" not in state


def test_a_run_is_followed_to_its_end_in_plain_lines_while_kubectl_shows_it(stack: Stack) -> None:
    run = stack.trigger("followed", clusters=["kubecon-demo-1"], cleanup="none")
    with ThreadPoolExecutor(1) as beside:
        following = beside.submit(watch, stack, "--run", run)
        pods = eventually(stack.hold, "a pod runs", pause=0.05)
        assert stack.contexts() == ["kubecon-demo-1"]
        running = (
            *("get", "pods", "-n", "higgs", "-l", "batch.kubernetes.io/job-name", "-o", "name"),
            "--field-selector=status.phase=Running",
        )
        name = eventually(lambda: stack.kubectl(*running).split(), "Kubernetes knows that it runs")[0]
        shown = stack.kubectl("get", "pods,jobs,nodes", "-A")
        release(pods)
        for part in (name.removeprefix("pod/"), "job.batch/", "node/", "Ready"):
            assert part in shown
        log = eventually(lambda: stack.kubectl("logs", "-n", "higgs", name), "a pod that says something")
        assert re.search(r"^Simulated_\S+: \d+ bytes .* \d+ events", log, re.MULTILINE)
        done = following.result()
    assert done.returncode == 0, done.stderr
    lines = [line.partition("] ")[2] for line in done.stdout.splitlines()]
    assert "kubecon-demo-1 wait_for_jobs: success" in lines
    assert "26 of 26 shards done, 0 failed" in lines
    assert lines[-1] == "run followed: success"


def test_another_airflow_is_watched_with_the_login_of_the_environment(
    stack: Stack, demo_run: "DemoRun"
) -> None:
    settings = stack.settings
    there = ("--airflow", settings.ui_url, "--run", demo_run.name, "--once")
    login = {
        "HIGGS_AIRFLOW_USER": "admin",
        "HIGGS_AIRFLOW_PASSWORD": settings.secrets.ui_password,
        "COLUMNS": "120",
    }
    shown = watch(stack, *there, **login).stdout
    assert "76/76" in shown
    assert "kubecon-demo-1" in shown
    refused = watch(stack, *there)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "set the environment variable 'HIGGS_AIRFLOW_USER'" in refused.stderr


def test_a_run_that_is_not_there_is_named(stack: Stack) -> None:
    done = watch(stack, "--run", "no-such-run", "--once")
    assert done.returncode == 1
    assert f"there is no run no-such-run of a campaign {DAG}" in done.stderr

"""The terminal's view of real runs."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from demo_stack import DAG, Stack, eventually, release

if TYPE_CHECKING:
    from conftest import DemoRun


def test_a_past_run_as_json(stack: Stack, demo_run: "DemoRun") -> None:
    done = stack.higgsdemo("watch", demo_run.name, "-c", DAG, "--json")
    state = json.loads(done.stdout)
    assert (state["run"]["state"], state["total"]["total"], state["total"]["done"]) == ("success", 76, 76)
    counts = {cluster["name"]: cluster["shards"]["done"] for cluster in state["clusters"]}
    assert counts == {"kubecon-demo-0": 28, "kubecon-demo-1": 26, "kubecon-demo-2": 22}
    assert "chart" not in state


def test_a_run_is_followed_to_its_end_in_plain_lines_while_kubectl_shows_it(stack: Stack) -> None:
    run = stack.trigger("followed", clusters=["kubecon-demo-1"], cleanup="none")
    with ThreadPoolExecutor(1) as beside:
        following = beside.submit(stack.higgsdemo, "watch", run, "-c", DAG)
        pods = eventually(stack.hold, "a pod runs", pause=0.15)
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


def test_make_watch_shows_a_run_by_its_name(stack: Stack, demo_run: "DemoRun") -> None:
    shown = stack.make(f"make watch OPTIONS='{demo_run.name} --once'")
    assert "kubecon-demo-1" in shown
    assert "76/76" in shown


def test_another_airflow_is_watched_by_its_address_as_a_table(stack: Stack, demo_run: "DemoRun") -> None:
    there = ("--airflow", stack.settings.ui_url, "--user", "admin")
    shown = stack.higgsdemo(
        *("watch", demo_run.name, "-c", DAG, "--once", *there),
        **{"HIGGS_AIRFLOW_URL": "", "HIGGS_AIRFLOW_USER": "", "COLUMNS": "120"},
    ).stdout
    assert "76/76" in shown
    assert "kubecon-demo-1" in shown
    refused = stack.higgsdemo("runs", HIGGS_AIRFLOW_PASSWORD="wrong")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "does not know the user admin" in refused.stderr


def test_a_run_that_is_not_there_is_named(stack: Stack) -> None:
    done = stack.higgsdemo("watch", "no-such-run", "-c", DAG, "--once")
    assert done.returncode == 2
    assert f'there is no run "no-such-run" of a campaign "{DAG}"' in done.stderr

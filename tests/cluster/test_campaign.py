"""What this project does with a cluster, through its own operators and triggers."""

import re
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from campaign_changes import with_changes
from clouds.tasks import carry_out, make
from cluster.campaign import Campaign, campaign
from higgsdemo.kubernetes import jobs
from higgsdemo.kubernetes.failures import NO_RESULT, REMOVED, UNTRIED
from higgsdemo.kubernetes.names import PART_OF, PROJECT, labels
from higgsdemo.kubernetes.progress import indexes
from higgsdemo.operators.base import TaskFailed, TaskFailedForGood
from higgsdemo.operators.cleanup import CampaignStatusOperator, ChooseCleanupOperator
from higgsdemo.operators.prepull import PrepullImageOperator
from higgsdemo.triggers import standstill
from space import INDEX, SLEEP, WAIT_FOR_GO, conditions, exits, soon
from tables import cases

__all__ = ["campaign"]


def test_the_image_is_prepulled_on_every_node(campaign: Campaign) -> None:
    """DaemonSet: as many as `desiredNumberScheduled`, which leaves tainted nodes out."""
    run = campaign("")
    with suppress(TaskDeferred):
        make(PrepullImageOperator, run.assignment).execute({})

    def through() -> str:
        for pod in run.pods():
            for one in pod.status.container_statuses or []:
                if one.state.waiting and one.state.waiting.reason in ("ErrImagePull", "ImagePullBackOff"):
                    return f"this cluster cannot pull {one.image}, which keeps the DaemonSet running"
        ready = [pod for pod in run.pods() if pod.status.phase == "Running"]
        return "ready" if ready and len(ready) == len(run.pods()) else ""

    if (outcome := soon(through, "the images are pulled")) != "ready":
        pytest.skip(outcome)
    pulled = carry_out(PrepullImageOperator, run.assignment)
    nodes = {pod.spec.node_name for pod in run.pods()}
    assert pulled["nodes"] == len(nodes) == len(run.pods()) >= 1
    assert {one.image_id != "" for pod in run.pods() for one in pod.status.init_container_statuses} == {True}


def test_an_image_that_cannot_be_pulled_ends_the_prepull_and_is_named(campaign: Campaign) -> None:
    run = campaign("", {"image": "not.there.invalid/none:1"})
    with pytest.raises(TaskFailed, match=r"node \S+ cannot pull not\.there\.invalid/none:1: (Err)?Image\w*"):
        carry_out(PrepullImageOperator, run.assignment)


def test_the_pods_find_what_the_contract_promises_and_every_shard_is_counted(campaign: Campaign) -> None:
    """docs/architecture.md, The pod contract: a pod that misses something ends with another exit code."""
    script = """
import json, os
line = open(os.environ["SHARD_MANIFEST"]).read().splitlines()[int(os.environ["JOB_COMPLETION_INDEX"])]
(shard,) = json.loads(line)["shards"]
assert shard["name"] == "abcd"[int(os.environ["JOB_COMPLETION_INDEX"])], shard
assert shard["url"].endswith(f"/in/{shard['name']}.root"), shard
path = os.path.join(os.environ["INPUT_DIR"], "shard.root")
open(path, "w").write("staged in")
assert os.environ["OUTPUT_URL"].endswith("/out/results/D"), os.environ["OUTPUT_URL"]
assert (os.environ["DATASET"], os.environ["SAMPLE"]) == ("D", "run2012c")
assert os.environ["AWS_SECRET_ACCESS_KEY"] == "tests-secret"
"""
    run = campaign(script, dpath="/dev/shm")
    judged = run.wait(run.submit("a", "b", "c", "d"))
    assert judged == {
        "cluster_name": "kubecon-demo-0",
        "shards": 4,
        "done": 4,
        "failed": 0,
        "deleting": False,
    }
    counted = {"total": 4, "done": 4, "failed": 0, "surely": 0, "running": 0}
    assert run.document("progress/kubecon-demo-0.json")["D"]["shards"] == counted


def test_a_second_attempt_ends_the_wait_for_a_shard_that_hangs(campaign: Campaign) -> None:
    """Its Job is owned by the first one, and goes with it when that is made anew."""
    script = """
import json, os, time
line = open(os.environ["SHARD_MANIFEST"]).read().splitlines()[int(os.environ["JOB_COMPLETION_INDEX"])]
if json.loads(line)["shards"][0]["name"] == "c" and "ATTEMPT" not in os.environ:
    time.sleep(600)
"""
    run = campaign(script, {"race_stragglers": 1})
    submitted = run.submit("a", "b", "c", "d")
    assert run.wait(submitted)["done"] == 4
    counted = {"total": 4, "done": 4, "failed": 0, "surely": 0, "running": 0}
    assert run.document("progress/kubecon-demo-0.json")["D"]["shards"] == counted
    lost, won = sorted(run.jobs(), key=lambda job: job.spec.completions, reverse=True)
    assert (lost.spec.suspend, [*indexes(lost.status.completed_indexes)]) == (True, [0, 1, 3])
    assert (won.spec.completions, won.status.completed_indexes) == (1, "0")
    assert [owner.uid for owner in won.metadata.owner_references] == [lost.metadata.uid]
    affinity = won.spec.template.spec.affinity.pod_anti_affinity
    (elsewhere,) = affinity.preferred_during_scheduling_ignored_during_execution
    avoided = elsewhere.pod_affinity_term.label_selector.match_labels
    assert avoided == {"batch.kubernetes.io/job-name": lost.metadata.name}
    soon(lambda: {pod.status.phase for pod in run.pods()} == {"Succeeded"})
    assert run.wait(submitted)["done"] == 4  # cleared, it has nothing to wait for
    assert {job.spec.suspend for job in run.jobs()} == {True, False}

    run.bucket.client.delete_object(Bucket=run.bucket.name, Key="out/results/D/c.json")
    again = run.submit()
    assert again == submitted
    soon(lambda: {job.metadata.uid for job in run.jobs()}.isdisjoint({lost.metadata.uid, won.metadata.uid}))
    run.bucket.write("out/results/D/c.json", b"{}")
    assert run.wait(again)["done"] == 4
    assert len(run.jobs()) == 2
    run.cleanup()
    soon(lambda: not any(run.held().values()))


def test_bad_input_is_tried_once_and_its_reason_kept(campaign: Campaign) -> None:
    """docs/architecture.md, The pod contract: exit code 65."""
    script = f"""print('{{"read": 0}}'); print('no ROOT file: µ', flush=True)\n{exits(0, 65, 0, 0)}"""
    run = campaign(script, {"tolerance": 1}, backoff_limit_per_index=5)
    judged = run.wait(run.submit("a", "c", "d"))
    assert (judged["done"], judged["failed"]) == (3, 1)
    assert [pod.metadata.labels[INDEX] for pod in run.pods() if pod.status.phase == "Failed"] == ["1"]
    (failure,) = run.document("failures/kubecon-demo-0.json")
    assert (failure["dataset"], failure["shard"]) == ("D", "b")
    assert failure["reason"] == "Error, exit code 65, no ROOT file: µ"
    assert failure["log"] == ['{"read": 0}', "no ROOT file: µ"]


def test_a_pod_that_takes_more_memory_than_it_has_is_told_as_such(campaign: Campaign) -> None:
    """Assign Memory Resources: OOMKilled, exit code 137."""
    greedy = "import os\nif os.environ['JOB_COMPLETION_INDEX'] == '1': held = bytearray(b'x') * 300_000_000"
    greedy += f"; {SLEEP}"
    run = campaign(greedy, {"tolerance": 1})
    assert run.wait(run.submit("a", "c", "d"))["failed"] == 1
    (failure,) = run.document("failures/kubecon-demo-0.json")
    assert (failure["shard"], failure["reason"]) == ("b", "OOMKilled, exit code 137")


def test_more_failures_than_tolerated_stop_the_rest_and_fail_the_task(campaign: Campaign) -> None:
    script = f"import os, sys\nif os.environ['JOB_COMPLETION_INDEX'] == '0': sys.exit(65)\n{SLEEP}"
    run = campaign(script)
    with pytest.raises(TaskFailedForGood, match="4 of 4 shards have no result, 0 may fail"):
        run.wait(run.submit())
    soon(lambda: not [pod for pod in run.pods() if pod.status.phase == "Running"], "no pod runs on")
    assert {one["reason"] for one in run.document("failures/kubecon-demo-0.json")[1:]} == {UNTRIED}


@pytest.mark.parametrize(
    ("told", "on_cancel", "stopped"),
    [(None, "stop", True), (None, "release", False), ({"done": 4}, "stop", False)],
)
def test_jobs_whose_wait_has_left_no_word_are_stopped_at_the_end_of_the_run(
    campaign: Campaign, told: Any, on_cancel: str, stopped: bool
) -> None:
    run, other = campaign(SLEEP, {"on_cancel": on_cancel}), campaign(SLEEP, {"name": "other-run"})
    for one in (run, other):
        one.submit()
    one = run.assignment.model_dump(mode="json")
    ti = SimpleNamespace(
        get_task_states=lambda **_: {"one": {"cluster.submit_jobs_0": "success"}}, xcom_pull=lambda **_: told
    )
    context: Any = {"ti": ti, "dag_run": SimpleNamespace(dag_id="demo", run_id="one")}
    CampaignStatusOperator(task_id="status", merged=None, assignments=[one]).execute(context)
    assert [job.spec.suspend for job in run.jobs() + other.jobs()] == [stopped, False]


def test_failures_that_are_tolerated_let_the_others_finish(campaign: Campaign) -> None:
    """Job concepts, Backoff limit per index: the Job itself has Failed, which is not what counts here."""
    run = campaign(exits(1, 0, 0, 1), {"tolerance": 0.5}, parallelism=1)
    assert run.wait(run.submit("b", "c"))["failed"] == 2
    (job,) = run.jobs()
    assert (job.status.completed_indexes, job.status.failed_indexes) == ("1,2", "0,3")
    assert conditions(job.status)[-1] == ("Failed", "FailedIndexes")


def test_a_pod_whose_node_is_taken_away_costs_no_retry(campaign: Campaign) -> None:
    """Pods, Disruptions: eviction is how a drained node takes its pods away."""
    run = campaign(WAIT_FOR_GO)
    submitted = run.submit("a", "b", "c", "d")
    soon(lambda: run.jobs()[0].status.ready == 4, "all pods run")
    running = run.pods()
    run.space.go()
    for pod in running:
        run.space.evict(pod.metadata.name)
    assert run.wait(submitted)["done"] == 4
    (job,) = run.jobs()
    assert (job.status.completed_indexes, job.status.failed_indexes, job.status.failed) == ("0-3", "", None)


@cases
def test_pods_that_cannot_run_end_the_wait_with_the_clusters_reason(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], why: str
) -> None:
    monkeypatch.setattr(standstill, "TOLD_AFTER", 0.0)
    run = campaign("", {"max_idle_hours": 5 / 3600})
    made_by_us = jobs.pod_spec
    monkeypatch.setattr(jobs, "pod_spec", lambda *given: with_changes(made_by_us(*given), change))
    with pytest.raises(TaskFailedForGood, match=why):
        run.wait(run.submit())
    assert re.search(why, run.document("progress/kubecon-demo-0.json")["D"]["waiting"])
    assert [job.spec.suspend for job in run.jobs()] == [True]


def test_each_shard_without_a_result_has_a_reason_of_its_own(campaign: Campaign) -> None:
    """A pod may have had several, may end well without a result, and those that pull images fail as well."""
    script = f"""
said = "a: no tree\\nd: no branch \\x1b[2J\\n2 of 2 shards failed"
open("/dev/termination-log", "w").write(said)
{exits(1, 0)}
"""
    run = campaign(script, {"tolerance": 4}, shards_per_pod=2)
    pull = run.space.pod("raise SystemExit(1)", "pull", restartPolicy="Never")
    pull["metadata"]["labels"] |= labels(run.assignment.run, "D")
    run.space.make(pull)
    soon(lambda: [pod for pod in run.pods() if pod.status.phase == "Failed"], "a pod of no Job has failed")
    assert run.wait(run.submit())["failed"] == 4
    assert [one["reason"] for one in run.document("failures/kubecon-demo-0.json")] == [
        "Error, exit code 1, no tree",
        NO_RESULT,
        NO_RESULT,
        r"Error, exit code 1, no branch \u001b[2J",
    ]


def test_where_pods_are_gone_their_job_says_what_it_knows(campaign: Campaign) -> None:
    run = campaign(exits(1, 1, 0, 0), {"tolerance": 4})
    submitted = run.submit("c", "d")
    soon(lambda: conditions(run.jobs()[0].status)[-1:] == [("Failed", "FailedIndexes")])
    for pod in run.pods():
        run.space.kube.core.delete_namespaced_pod(pod.metadata.name, run.space.namespace)
    soon(lambda: not run.pods(), "its pods are gone")
    (job,) = run.jobs()
    run.wait(submitted)
    why = f"(Job {job.metadata.name}, FailedIndexes: Job has failed indexes)"
    reasons = [one["reason"] for one in run.document("failures/kubecon-demo-0.json")]
    assert reasons == [f"its pods have failed and are gone {why}"] * 2
    batch = run.space.kube.batch
    batch.delete_namespaced_job(job.metadata.name, run.space.namespace, propagation_policy="Background")
    soon(lambda: not run.jobs())
    run.wait(submitted)
    assert {one["reason"] for one in run.document("failures/kubecon-demo-0.json")} == {REMOVED}


def test_cleanup_removes_ours_and_leaves_a_strangers_job_and_another_run(campaign: Campaign) -> None:
    run, other = campaign(SLEEP), campaign(SLEEP, {"name": "other-run"})
    stranger = run.space.indexed_job(SLEEP, 1, "stranger")
    stranger["metadata"]["labels"] |= {PART_OF: PROJECT}
    run.space.make(stranger)
    for one in (run, other):
        one.submit()
    soon(lambda: len(run.pods()) == len(other.pods()) == 4)
    choose = ChooseCleanupOperator(task_id="choose", assignments=None)
    assert choose._busy(run.assignment)
    run.cleanup()
    soon(lambda: (run.jobs(), run.pods()) == ([], []), "nothing of the run is left")
    assert run.held() == {"jobs": 1, "daemonsets": 0, "configmaps": 1, "secrets": 1, "pods": 4}
    assert run.space.ready_pods(1, "stranger")[0].metadata.deletion_timestamp is None
    run.cleanup()
    other.cleanup()
    soon(lambda: set(run.held().values()) == {0})

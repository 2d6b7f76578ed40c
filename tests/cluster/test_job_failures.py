"""What failed pods mean for their Job.

The authority: kubernetes.io/docs/concepts/workloads/controllers/job ("Job concepts" below).
"""

import time
from typing import Any

from space import FAIL_INDEX, INDEX, WAIT_FOR_GO, Space, causes, conditions, exits, soon


def failed_for(status: Any) -> str:
    """Why a Job failed; FailureTarget comes before Failed, and gives the same reason."""
    (target, why), (last, reason) = conditions(status)
    assert (target, last, why) == ("FailureTarget", "Failed", reason)
    return str(reason)


def test_with_a_failure_policy_only_a_pod_that_has_ended_is_replaced(space: Space) -> None:
    """Job concepts, Pod replacement policy: with a podFailurePolicy, there is only Failed."""
    policy = {"rules": [FAIL_INDEX]}
    body = space.indexed_job("", 1, suspend=True, backoffLimitPerIndex=1, podFailurePolicy=policy)
    assert space.make(body).spec.pod_replacement_policy == "Failed"
    body["metadata"] = space.metadata("refused")
    body["spec"]["podReplacementPolicy"] = "TerminatingOrFailed"
    assert "spec.podReplacementPolicy" in causes(space.refusal(body))


def test_failures_beyond_the_backoff_limit_fail_the_job(space: Space) -> None:
    """Job concepts, Pod backoff failure policy; FailureTarget comes before Failed."""
    status = space.run_job(space.job("raise SystemExit(1)", backoffLimit=1))
    assert (status.failed, status.succeeded) == (2, None)
    assert failed_for(status) == "BackoffLimitExceeded"


def test_every_index_has_its_own_retries(space: Space) -> None:
    """Job concepts, Backoff limit per index: `failed` counts pods, `failedIndexes` indexes.

    Others run to their end after one has failed for good, yet the Job is marked as failed.
    """
    body = space.indexed_job(exits(0, 1, 0, 1), 4, parallelism=1, backoffLimitPerIndex=1)
    status = space.run_job(body)
    assert (status.completed_indexes, status.failed_indexes) == ("0,2", "1,3")
    assert (status.succeeded, status.failed, failed_for(status)) == (2, 4, "FailedIndexes")
    counts = [
        pod.metadata.annotations["batch.kubernetes.io/job-index-failure-count"]
        for pod in space.pods()
        if pod.metadata.annotations[INDEX] == "1"
    ]
    assert sorted(counts) == ["0", "1"]


def test_the_exit_code_of_an_init_container_counts_as_well(space: Space) -> None:
    """API reference, PodFailurePolicyOnExitCodesRequirement: containers and init containers are looked at."""
    pod = {"initContainers": [space.container("raise SystemExit(65)", name="stage-in")]}
    codes = {"containerName": "stage-in", "operator": "In", "values": [65]}
    policy = {"rules": [{"action": "FailIndex", "onExitCodes": codes}]}
    body = space.indexed_job("", 1, backoffLimitPerIndex=5, podFailurePolicy=policy, pod=pod)
    assert (space.run_job(body).failed_indexes, len(space.pods())) == ("0", 1)


def test_an_ignored_exit_code_is_tried_again_and_not_counted(space: Space) -> None:
    """Job concepts, Pod failure policy: Ignore."""
    rules = [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [42]}}]
    script = "import os; raise SystemExit(0 if os.environ.get('GO') else 42)"
    pod = {"container": space.told_to_go()}
    space.make(space.job(script, backoffLimit=0, podFailurePolicy={"rules": rules}, pod=pod))
    soon(lambda: any(pod.status.phase == "Failed" for pod in space.pods()))
    space.go()
    status = space.ended_job()
    assert (status.succeeded, status.failed) == (1, None)


def test_an_ignored_failure_is_backed_off_as_well(space: Space) -> None:
    """Surprising: Ignore takes a failure out of backoffLimit, not out of the delay before the next pod."""
    rules = [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [42]}}]
    for suffix, spec in {"plain": {}, "indexed": {"completionMode": "Indexed", "completions": 1}}.items():
        body = space.job("raise SystemExit(42)", suffix, podFailurePolicy={"rules": rules}, **spec)
        if suffix == "indexed":
            body["spec"]["backoffLimitPerIndex"] = 1
        space.make(body)
    soon(lambda: len(space.pods()) >= 4, "both have tried again")
    time.sleep(4)
    assert len(space.pods()) <= 12
    assert {space.job_now(suffix).status.failed for suffix in ("plain", "indexed")} == {None}


def test_a_deleted_pod_is_replaced_and_counted(space: Space) -> None:
    """Job concepts, Handling pod and container failures: a pod that is deleted has failed."""
    space.make(space.indexed_job(WAIT_FOR_GO, 1, backoffLimit=3, pod={"container": space.told_to_go()}))
    first = space.ready_pods(1)[0].metadata.name
    space.go()
    space.kube.core.delete_namespaced_pod(first, space.namespace)
    status = space.ended_job()
    assert (status.succeeded, status.failed) == (1, 1)
    soon(lambda: first not in [pod.metadata.name for pod in space.pods()])


def test_with_replacement_policy_failed_a_pod_is_replaced_only_after_its_end(space: Space) -> None:
    """Job concepts, Pod replacement policy: until then it counts as `terminating`."""
    script = (
        "import signal, sys, time\n"
        "def end(*_): time.sleep(4); sys.exit(1)\n"
        "signal.signal(signal.SIGTERM, end); print('ready', flush=True); time.sleep(600)"
    )
    patient = {"terminationGracePeriodSeconds": 30}
    space.make(space.indexed_job(script, 1, podReplacementPolicy="Failed", pod=patient))
    first = space.ready_pods(1)[0].metadata.name
    path = f"{space.path('Pod', first)}/log"
    soon(lambda: "ready" in space.kube.http.get(path).text)
    space.kube.core.delete_namespaced_pod(first, space.namespace)
    soon(lambda: space.job_now().status.terminating == 1, "the pod is terminating")
    assert space.pods() == []
    soon(lambda: [pod.metadata.name != first for pod in space.pods()] == [True], "the pod is replaced")


def test_an_exit_code_may_fail_its_index_without_a_retry_and_indexes_are_told_in_intervals(
    space: Space,
) -> None:
    """Pod failure policy: FailIndex; JobStatus: three or more indexes in a row are written first-last."""
    codes = [0, 0, 0, 65, 0, 65, 65, 65, 0, 0]
    policy = {"rules": [FAIL_INDEX]}
    body = space.indexed_job(exits(*codes), 10, backoffLimitPerIndex=5, podFailurePolicy=policy)
    status = space.run_job(body)
    assert (status.completed_indexes, status.failed_indexes, status.failed) == ("0-2,4,8,9", "3,5-7", 4)

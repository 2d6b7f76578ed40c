"""Jobs. The authority: kubernetes.io/docs/concepts/workloads/controllers/job ("Job concepts" below)."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.space import INDEX, SLEEP, WAIT_FOR_GO, Space, causes, conditions, soon

EXIT_BY_INDEX = "import os, sys; sys.exit({}[int(os.environ['JOB_COMPLETION_INDEX'])])"
FAIL_INDEX = {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [65]}}


def exits(*codes: int) -> str:
    """A script that ends with the exit code of its completion index."""
    return EXIT_BY_INDEX.format(list(codes))


def test_an_indexed_job_completes_every_index(space: Space) -> None:
    """Job concepts, Completion mode: the index is in an annotation, a label, the host name and a variable."""
    script = "import os, socket; print(os.environ['JOB_COMPLETION_INDEX'], os.environ['HOSTNAME'])"
    status = space.run_job(space.indexed_job(script, 4, parallelism=2))
    assert (status.succeeded, status.failed, status.completed_indexes) == (4, None, "0-3")
    pods = space.pods()
    assert space.indexes() == ["0", "1", "2", "3"]
    for pod in pods:
        index = pod.metadata.annotations[INDEX]
        assert pod.metadata.labels[INDEX] == index
        assert pod.metadata.name.startswith(f"{space.test}-{index}-")
        assert pod.spec.hostname == f"{space.test}-{index}"
        log = space.kube.http.get(f"{space.path('Pod', pod.metadata.name)}/log").text
        assert log == f"{index} {space.test}-{index}\n"


def test_a_complete_job_has_its_conditions_in_order(space: Space) -> None:
    """Job concepts, Termination of Job pods: SuccessCriteriaMet comes first, Complete when no pod is left."""
    status = space.run_job(space.indexed_job("", 2))
    assert conditions(status) == [
        ("SuccessCriteriaMet", "CompletionsReached"),
        ("Complete", "CompletionsReached"),
    ]
    assert status.completion_time >= status.start_time
    assert (status.active, status.ready, status.terminating) == (None, 0, 0)


def test_the_pods_of_a_finished_job_have_no_finalizer_left(space: Space) -> None:
    """Job concepts, Job tracking with finalizers: a pod is let go once it is counted."""
    space.run_job(space.indexed_job(exits(0, 1), 2, backoffLimitPerIndex=0))
    soon(lambda: not any(pod.metadata.finalizers for pod in space.pods()))
    assert {pod.metadata.owner_references[0].kind for pod in space.pods()} == {"Job"}
    assert all(pod.metadata.owner_references[0].controller for pod in space.pods())


def test_a_plain_job_runs_as_often_as_asked(space: Space) -> None:
    status = space.run_job(space.job("", completions=3, parallelism=2))
    assert (status.succeeded, len(space.pods()), status.completed_indexes) == (3, 3, None)


def test_a_job_without_completions_is_done_with_its_first_success(space: Space) -> None:
    """Job concepts, Parallel Jobs with a work queue."""
    status = space.run_job(space.job("", parallelism=1))
    assert (status.succeeded, conditions(status)[-1][0]) == (1, "Complete")


def test_a_job_gets_the_defaults_of_kubernetes(space: Space) -> None:
    """API reference, JobSpec; the labels are those of Well-Known Labels, old and new."""
    made = space.make(space.job("", suspend=True))
    uid, spec = made.metadata.uid, made.spec
    assert spec.selector.match_labels == {"batch.kubernetes.io/controller-uid": uid}
    assert (
        spec.template.metadata.labels.items()
        >= {
            "batch.kubernetes.io/controller-uid": uid,
            "batch.kubernetes.io/job-name": space.test,
            "controller-uid": uid,
            "job-name": space.test,
        }.items()
    )
    assert (spec.completions, spec.parallelism, spec.backoff_limit) == (1, 1, 6)
    assert (spec.completion_mode, spec.pod_replacement_policy) == ("NonIndexed", "TerminatingOrFailed")


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
    assert conditions(status) == [
        ("FailureTarget", "BackoffLimitExceeded"),
        ("Failed", "BackoffLimitExceeded"),
    ]


def test_every_index_has_its_own_retries(space: Space) -> None:
    """Job concepts, Backoff limit per index: `failed` counts pods, `failedIndexes` indexes."""
    status = space.run_job(space.indexed_job(exits(0, 1, 0, 1), 4, backoffLimitPerIndex=1))
    assert (status.completed_indexes, status.failed_indexes) == ("0,2", "1,3")
    assert (status.succeeded, status.failed) == (2, 4)
    counts = [
        pod.metadata.annotations["batch.kubernetes.io/job-index-failure-count"]
        for pod in space.pods()
        if pod.metadata.annotations[INDEX] == "1"
    ]
    assert sorted(counts) == ["0", "1"]


def test_one_failed_index_fails_the_job_once_all_others_are_through(space: Space) -> None:
    """Job concepts, Backoff limit per index: the others run to their end, yet the Job is marked as failed."""
    body = space.indexed_job(exits(1, 0, 0), 3, parallelism=1, backoffLimitPerIndex=0, maxFailedIndexes=3)
    status = space.run_job(body)
    assert (status.completed_indexes, status.failed_indexes) == ("1,2", "0")
    assert conditions(status) == [("FailureTarget", "FailedIndexes"), ("Failed", "FailedIndexes")]


def test_too_many_failed_indexes_end_the_job_at_once(space: Space) -> None:
    """Job concepts, Backoff limit per index: beyond maxFailedIndexes running pods are terminated."""
    script = f"import os, sys\nif os.environ['JOB_COMPLETION_INDEX'] == '1': sys.exit(65)\n{SLEEP}"
    body = space.indexed_job(
        script,
        3,
        backoffLimitPerIndex=1,
        maxFailedIndexes=0,
        podFailurePolicy={"rules": [FAIL_INDEX]},
    )
    status = space.run_job(body)
    assert (status.failed_indexes, status.active, status.terminating) == ("1", None, 0)
    assert conditions(status) == [
        ("FailureTarget", "MaxFailedIndexesExceeded"),
        ("Failed", "MaxFailedIndexesExceeded"),
    ]
    assert [pod.status.phase for pod in space.pods() if pod.status.phase == "Running"] == []


def test_an_exit_code_may_fail_its_index_without_a_retry(space: Space) -> None:
    """Job concepts, Pod failure policy: FailIndex."""
    body = space.indexed_job(
        exits(0, 65), 2, backoffLimitPerIndex=5, podFailurePolicy={"rules": [FAIL_INDEX]}
    )
    status = space.run_job(body)
    assert (status.completed_indexes, status.failed_indexes, status.failed) == ("0", "1", 1)


def test_the_exit_code_of_an_init_container_counts_as_well(space: Space) -> None:
    """API reference, PodFailurePolicyOnExitCodesRequirement: containers and init containers are looked at."""
    init = [space.container("raise SystemExit(65)", name="stage-in")]
    rule = {
        "action": "FailIndex",
        "onExitCodes": {"containerName": "stage-in", "operator": "In", "values": [65]},
    }
    body = space.indexed_job(
        "", 1, backoffLimitPerIndex=5, podFailurePolicy={"rules": [rule]}, pod={"initContainers": init}
    )
    assert (space.run_job(body).failed_indexes, len(space.pods())) == ("0", 1)


def test_an_exit_code_may_fail_the_job(space: Space) -> None:
    """Job concepts, Pod failure policy: FailJob; the message names container, exit code and rule."""
    rule = {
        "action": "FailJob",
        "onExitCodes": {"operator": "NotIn", "values": [1, 2], "containerName": "main"},
    }
    status = space.run_job(space.job("raise SystemExit(3)", podFailurePolicy={"rules": [rule]}))
    assert conditions(status) == [("FailureTarget", "PodFailurePolicy"), ("Failed", "PodFailurePolicy")]
    assert status.conditions[0].message == (
        f"Container main for pod {space.namespace}/{space.pods()[0].metadata.name} failed with exit code 3 "
        "matching FailJob rule at index 0"
    )


def test_an_evicted_pod_costs_no_retry(space: Space) -> None:
    """Disruptions, Pod disruption conditions: EvictionByEvictionAPI; Job concepts, Pod failure policy."""
    ignore = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    body = space.indexed_job(
        WAIT_FOR_GO,
        2,
        backoffLimitPerIndex=0,
        podFailurePolicy={"rules": [ignore]},
        pod={"container": space.told_to_go()},
    )
    space.make(body)
    evicted = space.ready_pods(2)
    space.go()
    for pod in evicted:
        space.evict(pod.metadata.name)
    status = space.ended_job()
    assert (status.completed_indexes, status.failed_indexes, status.failed) == ("0,1", "", None)


def test_an_ignored_exit_code_is_tried_again_and_not_counted(space: Space) -> None:
    """Job concepts, Pod failure policy: Ignore."""
    rules = [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [42]}}]
    body = space.job(
        "import os; raise SystemExit(0 if os.environ.get('GO') else 42)",
        backoffLimit=0,
        podFailurePolicy={"rules": rules},
        pod={"container": space.told_to_go()},
    )
    space.make(body)
    soon(lambda: any(pod.status.phase == "Failed" for pod in space.pods()))
    space.go()
    status = space.ended_job()
    assert (status.succeeded, status.failed) == (1, None)


def test_a_job_past_its_deadline_fails(space: Space) -> None:
    """Job concepts, Job termination and cleanup: activeDeadlineSeconds ends all running pods."""
    status = space.run_job(space.job(SLEEP, activeDeadlineSeconds=2))
    assert conditions(status) == [("FailureTarget", "DeadlineExceeded"), ("Failed", "DeadlineExceeded")]
    soon(lambda: space.pods() == [])


def test_a_suspended_job_has_no_pods_until_it_is_resumed(space: Space) -> None:
    """Job concepts, Suspending a Job: startTime is set anew when it is resumed."""
    space.make(space.indexed_job("", 2, suspend=True))
    soon(lambda: conditions(space.job_now().status) == [("Suspended", "JobSuspended")])
    assert (space.pods(), space.job_now().status.start_time) == ([], None)
    space.kube.batch.patch_namespaced_job(space.test, space.namespace, {"spec": {"suspend": False}})
    status = space.ended_job()
    resumed = {(one.type, one.status, one.reason) for one in status.conditions}
    assert ("Suspended", "False", "JobResumed") in resumed
    assert status.completed_indexes == "0,1"


def test_suspending_stops_the_pods_and_counts_none_of_them(space: Space) -> None:
    """Job concepts, Suspending a Job: active pods are terminated."""
    space.make(space.indexed_job(SLEEP, 2))
    space.ready_pods(2)
    space.kube.batch.patch_namespaced_job(space.test, space.namespace, {"spec": {"suspend": True}})
    soon(lambda: space.pods() == [] and space.job_now().status.active is None)
    assert (space.job_now().status.failed, space.job_now().status.succeeded) == (None, None)


def test_parallelism_may_change_and_costs_no_retry(space: Space) -> None:
    """Job concepts, Controlling parallelism."""
    space.make(space.indexed_job(SLEEP, 4, parallelism=1))
    for wanted in (3, 1, 0):
        space.kube.batch.patch_namespaced_job(space.test, space.namespace, {"spec": {"parallelism": wanted}})
        soon(lambda wanted=wanted: len(space.pods()) == wanted, f"{wanted} pods")
    assert space.job_now().status.failed is None


def test_an_indexed_job_may_grow_and_shrink(space: Space) -> None:
    """Job concepts, Elastic Indexed Jobs: completions follow parallelism when both change together."""
    space.make(space.indexed_job(SLEEP, 2))
    for size in (3, 1, 2):
        change = {"spec": {"parallelism": size, "completions": size}}
        space.kube.batch.patch_namespaced_job(space.test, space.namespace, change)
        soon(lambda size=size: len(space.pods()) == size, f"{size} pods")
    assert space.indexes() == ["0", "1"]


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


def test_a_finished_job_goes_when_its_time_to_live_is_over(space: Space) -> None:
    """kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished: pods go with it."""
    space.make(space.job("", ttlSecondsAfterFinished=1))

    def left() -> int:
        jobs = space.kube.batch.list_namespaced_job(space.namespace, label_selector=space.selector).items
        return len(jobs) + len(space.pods())

    soon(lambda: left() == 2, "the Job has its pod")
    soon(lambda: left() == 0, "both are gone")


def test_a_job_may_have_more_indexes_than_anyone_will_run(space: Space) -> None:
    """API reference, JobSpec: only with parallelism beyond 10,000 are completions limited to 10^5."""
    space.make(space.indexed_job(SLEEP, 2**31 - 1, parallelism=2))
    space.ready_pods(2)
    assert space.indexes() == ["0", "1"]


def test_many_indexes_are_told_in_intervals(space: Space) -> None:
    """API reference, JobStatus.completedIndexes: three or more in a row are written first-last."""
    codes = [0, 0, 0, 65, 0, 65, 65, 65, 0, 0]
    body = space.indexed_job(
        exits(*codes), 10, backoffLimitPerIndex=0, podFailurePolicy={"rules": [FAIL_INDEX]}
    )
    status = space.run_job(body)
    assert (status.completed_indexes, status.failed_indexes) == ("0-2,4,8,9", "3,5-7")


def test_the_story_of_a_job_is_told_in_events(space: Space) -> None:
    space.run_job(space.job(""))
    name = space.pods()[0].metadata.name

    def story() -> list[tuple[str, str]]:
        return [(one.reason, one.message) for one in space.events("Job", space.test)]

    soon(lambda: len(story()) == 2, "two events")
    assert story() == [("SuccessfulCreate", f"Created pod: {name}"), ("Completed", "Job completed")]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"completions": -1}, "spec.completions"),
        ({"completions": None}, "spec.completions"),
        ({"completionMode": "Sorted"}, "spec.completionMode"),
        ({"maxFailedIndexes": 1}, "spec.backoffLimitPerIndex"),
        ({"maxFailedIndexes": 3, "backoffLimitPerIndex": 1}, "spec.maxFailedIndexes"),
        ({"podFailurePolicy": {"rules": [FAIL_INDEX]}}, "spec.podFailurePolicy.rules[0].action"),
        ({"podFailurePolicy": {"rules": [{"action": "Ignore"}]}}, "spec.podFailurePolicy.rules[0]"),
    ],
)
def test_what_a_job_may_not_be_is_refused(space: Space, change: dict[str, Any], field: str) -> None:
    """API reference, JobSpec: each is a rule of one of its fields."""
    body = space.indexed_job("", 2)
    body["spec"] |= change
    assert field in causes(space.refusal(body))


def test_the_pods_of_a_job_may_not_always_be_restarted(space: Space) -> None:
    """Job concepts, Pod template: only Never and OnFailure."""
    body = space.job("", pod={"restartPolicy": "Always"})
    assert causes(space.refusal(body)) == ["spec.template.spec.restartPolicy"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"completions": 5}, "spec.completions"),
        ({"completionMode": "NonIndexed"}, "spec.completionMode"),
        ({"template": {"spec": {"terminationGracePeriodSeconds": 7}}}, "spec.template"),
        ({"backoffLimitPerIndex": 1}, "spec.backoffLimitPerIndex"),
        ({"selector": {"matchLabels": {"a": "b"}}}, "spec.selector"),
    ],
)
def test_what_of_a_job_may_not_change_is_refused(space: Space, change: dict[str, Any], field: str) -> None:
    """API reference, JobSpec: immutable fields."""
    space.make(space.indexed_job("", 2, suspend=True))
    headers = {"Content-Type": "application/strategic-merge-patch+json"}
    path = space.path("Job", space.test)
    refused = space.kube.http.patch(path, headers=headers, json={"spec": change}).json()
    assert field in causes(refused)

"""Jobs, as kubernetes.io/docs/concepts/workloads/controllers/job describes them."""

from typing import Any

import pytest

from localkube_server import Kube, Server, container, eventually, indexed_job, job_ended, pod_running

IGNORE_DISRUPTION = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
FAIL_INDEX = {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [65]}}


def run(kube: Kube, namespace: str, job: dict[str, Any]) -> Any:
    """The status of the Job once it has ended."""
    kube.batch.create_namespaced_job(namespace, job)
    return job_ended(kube, namespace, job["metadata"]["name"]).status


def plain_job(name: str, script: str, **spec: Any) -> dict[str, Any]:
    inside = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container(script)]}
    return {"metadata": {"name": name}, "spec": {"template": {"spec": inside | spec.pop("pod", {})}, **spec}}


def conditions(status: Any) -> list[tuple[str, str, str]]:
    return [(one.type, one.status, one.reason) for one in status.conditions]


def pods(kube: Kube, namespace: str, job: str) -> list[Any]:
    selector = f"batch.kubernetes.io/job-name={job}"
    return list(kube.core.list_namespaced_pod(namespace, label_selector=selector).items)


def test_an_indexed_job_completes_every_index(kube: Kube, namespace: str) -> None:
    status = run(
        kube, namespace, indexed_job("j", "echo index $JOB_COMPLETION_INDEX of $HOSTNAME", 4, parallelism=2)
    )
    assert (status.succeeded, status.failed, status.completed_indexes) == (4, None, "0-3")
    assert conditions(status) == [
        ("SuccessCriteriaMet", "True", "CompletionsReached"),
        ("Complete", "True", "CompletionsReached"),
    ]
    assert status.completion_time >= status.start_time
    assert (status.active, status.ready, status.terminating) == (None, 0, 0)
    for pod in pods(kube, namespace, "j"):
        index = pod.metadata.annotations["batch.kubernetes.io/job-completion-index"]
        assert pod.metadata.labels["batch.kubernetes.io/job-completion-index"] == index
        assert pod.metadata.name.startswith(f"j-{index}-")
        assert pod.spec.hostname == f"j-{index}"
        log = kube.http.get(f"api/v1/namespaces/{namespace}/pods/{pod.metadata.name}/log").text
        assert log == f"index {index} of j-{index}\n"
        assert pod.metadata.owner_references[0].controller
        assert not pod.metadata.finalizers


def test_a_plain_job_runs_as_often_as_asked(kube: Kube, namespace: str) -> None:
    status = run(kube, namespace, plain_job("j", "true", completions=3, parallelism=2))
    assert (status.succeeded, len(pods(kube, namespace, "j"))) == (3, 3)


def test_a_job_without_completions_is_done_with_its_first_success(kube: Kube, namespace: str) -> None:
    status = run(kube, namespace, plain_job("j", "true", parallelism=1))
    assert status.succeeded == 1


def test_a_job_gets_the_defaults_of_kubernetes(kube: Kube, namespace: str) -> None:
    made = kube.batch.create_namespaced_job(namespace, plain_job("j", "true", suspend=True))
    uid = made.metadata.uid
    assert made.spec.selector.match_labels == {"batch.kubernetes.io/controller-uid": uid}
    assert made.spec.template.metadata.labels == {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": "j",
        "controller-uid": uid,
        "job-name": "j",
    }
    spec = made.spec
    assert (spec.completions, spec.parallelism, spec.backoff_limit, spec.completion_mode) == (
        1,
        1,
        6,
        "NonIndexed",
    )
    assert spec.pod_replacement_policy == "TerminatingOrFailed"


def test_failures_beyond_the_backoff_limit_fail_the_job(kube: Kube, namespace: str) -> None:
    status = run(kube, namespace, plain_job("j", "exit 1", backoffLimit=2))
    assert (status.failed, status.succeeded, len(pods(kube, namespace, "j"))) == (3, None, 3)
    assert conditions(status) == [
        ("FailureTarget", "True", "BackoffLimitExceeded"),
        ("Failed", "True", "BackoffLimitExceeded"),
    ]


def test_restarts_in_place_count_against_the_backoff_limit(kube: Kube, namespace: str) -> None:
    status = run(
        kube, namespace, plain_job("j", "exit 1", backoffLimit=2, pod={"restartPolicy": "OnFailure"})
    )
    assert conditions(status)[-1] == ("Failed", "True", "BackoffLimitExceeded")
    assert len(pods(kube, namespace, "j")) <= 1


def test_every_index_has_its_own_retries(kube: Kube, namespace: str) -> None:
    status = run(
        kube, namespace, indexed_job("j", "exit $(( JOB_COMPLETION_INDEX % 2 ))", 4, backoffLimitPerIndex=1)
    )
    assert (status.completed_indexes, status.failed_indexes) == ("0,2", "1,3")
    assert (status.succeeded, status.failed) == (2, 4)
    assert conditions(status)[-1] == ("Failed", "True", "FailedIndexes")
    counts = sorted(
        pod.metadata.annotations["batch.kubernetes.io/job-index-failure-count"]
        for pod in pods(kube, namespace, "j")
        if pod.metadata.annotations["batch.kubernetes.io/job-completion-index"] == "1"
    )
    assert counts == ["0", "1"]


def test_too_many_failed_indexes_end_the_job_at_once(kube: Kube, namespace: str) -> None:
    job = indexed_job(
        "j",
        "test $JOB_COMPLETION_INDEX != 1 || exit 65; sleep 60",
        3,
        backoffLimitPerIndex=1,
        maxFailedIndexes=0,
        podFailurePolicy={"rules": [FAIL_INDEX]},
    )
    status = run(kube, namespace, job)
    assert status.failed_indexes == "1"
    assert conditions(status) == [
        ("FailureTarget", "True", "MaxFailedIndexesExceeded"),
        ("Failed", "True", "MaxFailedIndexesExceeded"),
    ]
    assert len(pods(kube, namespace, "j")) == 1, "those that still ran are deleted"


def test_an_exit_code_may_fail_its_index_without_a_retry(kube: Kube, namespace: str) -> None:
    policy = {"rules": [FAIL_INDEX]}
    job = indexed_job(
        "j", "exit $(( JOB_COMPLETION_INDEX * 65 ))", 2, backoffLimitPerIndex=5, podFailurePolicy=policy
    )
    status = run(kube, namespace, job)
    assert (status.completed_indexes, status.failed_indexes, status.failed) == ("0", "1", 1)


def test_an_exit_code_may_fail_the_job(kube: Kube, namespace: str) -> None:
    rule = {
        "action": "FailJob",
        "onExitCodes": {"operator": "NotIn", "values": [1, 2], "containerName": "main"},
    }
    status = run(kube, namespace, plain_job("j", "exit 3", podFailurePolicy={"rules": [rule]}))
    assert conditions(status)[0] == ("FailureTarget", "True", "PodFailurePolicy")
    name = pods(kube, namespace, "j")[0].metadata.name
    assert status.conditions[0].message == (
        f"Container main for pod {namespace}/{name} failed with exit code 3 matching FailJob rule at index 0"
    )


def test_a_preempted_pod_costs_no_retry(server: Server, namespace: str, kube: Kube) -> None:
    mounts = [{"name": "node", "mountPath": "/node"}]
    job = indexed_job(
        "j",
        "",
        2,
        backoffLimitPerIndex=0,
        podFailurePolicy={"rules": [IGNORE_DISRUPTION]},
        pod={
            "containers": [container("test -e /node/go || sleep 60", volumeMounts=mounts)],
            "volumes": [{"name": "node", "hostPath": {"path": f"/{namespace}"}}],
        },
    )
    kube.batch.create_namespaced_job(namespace, job)
    eventually(lambda: kube.batch.read_namespaced_job("j", namespace).status.ready == 2)
    for node in ("shared-node-0", "shared-node-1"):
        place = server.state / "clusters" / "shared" / "nodes" / node / namespace
        place.mkdir(parents=True, exist_ok=True)
        (place / "go").touch()
    with server.admin() as admin:
        for node in ("shared-node-0", "shared-node-1"):
            assert admin.post(f"clusters/shared/nodes/{node}/preempt").status_code == 202
    status = job_ended(kube, namespace, "j").status
    assert (status.succeeded, status.failed, status.failed_indexes) == (2, None, "")
    failed = [pod for pod in pods(kube, namespace, "j") if pod.status.phase == "Failed"]
    assert len(failed) >= 2
    assert {one.type for pod in failed for one in pod.status.conditions} >= {"DisruptionTarget"}
    assert {pod.status.reason for pod in failed} == {"Terminated"}


def test_a_job_past_its_deadline_fails(kube: Kube, namespace: str) -> None:
    status = run(kube, namespace, plain_job("j", "sleep 60", activeDeadlineSeconds=1))
    assert conditions(status)[-1] == ("Failed", "True", "DeadlineExceeded")
    assert pods(kube, namespace, "j") == []


def test_a_suspended_job_has_no_pods_until_it_is_resumed(kube: Kube, namespace: str) -> None:
    kube.batch.create_namespaced_job(namespace, indexed_job("j", "sleep 0.3", 2, suspend=True))

    def suspended(status: str) -> bool:
        found = kube.batch.read_namespaced_job("j", namespace).status
        return [(one.type, one.status) for one in found.conditions or []] == [("Suspended", status)]

    eventually(lambda: suspended("True"))
    assert pods(kube, namespace, "j") == []
    assert kube.batch.read_namespaced_job("j", namespace).status.start_time is None
    kube.batch.patch_namespaced_job("j", namespace, {"spec": {"suspend": False}})
    status = job_ended(kube, namespace, "j").status
    assert conditions(status)[0] == ("Suspended", "False", "JobResumed")
    assert status.completed_indexes == "0,1"


def test_suspending_stops_the_pods_and_counts_none_of_them(kube: Kube, namespace: str) -> None:
    kube.batch.create_namespaced_job(namespace, indexed_job("j", "sleep 60", 2))
    eventually(lambda: kube.batch.read_namespaced_job("j", namespace).status.ready == 2)
    kube.batch.patch_namespaced_job("j", namespace, {"spec": {"suspend": True}})
    eventually(lambda: pods(kube, namespace, "j") == [])
    assert kube.batch.read_namespaced_job("j", namespace).status.failed is None


def test_parallelism_may_change(kube: Kube, namespace: str) -> None:
    kube.batch.create_namespaced_job(namespace, indexed_job("j", "sleep 60", 4, parallelism=1))
    for wanted in (3, 2, 0):
        kube.batch.patch_namespaced_job("j", namespace, {"spec": {"parallelism": wanted}})
        eventually(lambda wanted=wanted: len(pods(kube, namespace, "j")) == wanted, f"{wanted} pods")
    assert kube.batch.read_namespaced_job("j", namespace).status.failed is None


def test_an_indexed_job_may_grow_and_shrink(kube: Kube, namespace: str) -> None:
    kube.batch.create_namespaced_job(namespace, indexed_job("j", "sleep 60", 2))
    for size in (3, 1, 2):
        kube.batch.patch_namespaced_job("j", namespace, {"spec": {"parallelism": size, "completions": size}})
        eventually(lambda size=size: len(pods(kube, namespace, "j")) == size, f"{size} pods")
    indexes = {
        pod.metadata.labels["batch.kubernetes.io/job-completion-index"] for pod in pods(kube, namespace, "j")
    }
    assert indexes == {"0", "1"}


def test_a_deleted_pod_is_replaced_and_counted(kube: Kube, namespace: str) -> None:
    kube.batch.create_namespaced_job(namespace, indexed_job("j", "sleep 1", 1, backoffLimit=3))
    first = eventually(lambda: pods(kube, namespace, "j"))[0].metadata.name
    pod_running(kube, namespace, first)
    kube.core.delete_namespaced_pod(first, namespace)
    status = job_ended(kube, namespace, "j").status
    assert (status.succeeded, status.failed) == (1, 1)
    assert [pod.metadata.name == first for pod in pods(kube, namespace, "j")] == [False]


def test_with_replacement_policy_failed_a_pod_is_replaced_only_after_its_end(
    kube: Kube, namespace: str
) -> None:
    job = indexed_job(
        "j",
        "trap 'sleep 1.5; exit 1' TERM; sleep 60 & wait",
        1,
        podReplacementPolicy="Failed",
        pod={"terminationGracePeriodSeconds": 10},
    )
    kube.batch.create_namespaced_job(namespace, job)
    first = eventually(lambda: pods(kube, namespace, "j"))[0].metadata.name
    pod_running(kube, namespace, first)
    kube.core.delete_namespaced_pod(first, namespace)
    eventually(lambda: kube.batch.read_namespaced_job("j", namespace).status.terminating == 1)
    assert [pod.metadata.name for pod in pods(kube, namespace, "j")] == [first]
    eventually(lambda: [pod.metadata.name != first for pod in pods(kube, namespace, "j")] == [True])


def test_a_finished_job_goes_when_its_time_to_live_is_over(kube: Kube, namespace: str) -> None:
    run(kube, namespace, plain_job("j", "true", ttlSecondsAfterFinished=1))
    eventually(lambda: kube.batch.list_namespaced_job(namespace).items == [])
    eventually(lambda: pods(kube, namespace, "j") == [])


def test_a_job_may_have_more_indexes_than_anyone_will_run(kube: Kube, namespace: str) -> None:
    kube.batch.create_namespaced_job(namespace, indexed_job("j", "sleep 60", 2**31 - 1, parallelism=2))
    eventually(lambda: kube.batch.read_namespaced_job("j", namespace).status.ready == 2)
    indexes = [
        pod.metadata.labels["batch.kubernetes.io/job-completion-index"] for pod in pods(kube, namespace, "j")
    ]
    assert indexes == ["0", "1"]


def test_the_pods_of_a_job_may_be_labelled(kube: Kube, namespace: str) -> None:
    kube.batch.create_namespaced_job(namespace, indexed_job("j", "sleep 60", 1))
    kube.batch.create_namespaced_job(namespace, plain_job("k", "sleep 60"))
    for job in ("j", "k"):
        found = eventually(lambda job=job: pods(kube, namespace, job))[0]
        labels = {"metadata": {"labels": {"seen": "yes"}}}
        changed = kube.core.patch_namespaced_pod(found.metadata.name, namespace, labels)
        assert changed.metadata.labels["seen"] == "yes"
        assert changed.spec.service_account_name == "default"


def test_the_story_of_a_job_is_told_in_events(kube: Kube, namespace: str) -> None:
    run(kube, namespace, plain_job("j", "true"))
    name = pods(kube, namespace, "j")[0].metadata.name

    def story() -> list[tuple[str, str]]:
        selector = "involvedObject.kind=Job,involvedObject.name=j"
        found = kube.core.list_namespaced_event(namespace, field_selector=selector).items
        return [(one.reason, one.message) for one in found]

    eventually(lambda: len(story()) == 2)
    assert story() == [("SuccessfulCreate", f"Created pod: {name}"), ("Completed", "Job completed")]


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        (
            {"template": {"spec": {"restartPolicy": "Always"}}},
            "spec.template.spec.restartPolicy",
            "FieldValueRequired",
        ),
        ({"completions": -1}, "spec.completions", "FieldValueInvalid"),
        ({"completionMode": "Sorted"}, "spec.completionMode", "FieldValueNotSupported"),
        ({"completions": None}, "spec.completions", "FieldValueRequired"),
        ({"maxFailedIndexes": 1}, "spec.backoffLimitPerIndex", "FieldValueRequired"),
        ({"maxFailedIndexes": 3, "backoffLimitPerIndex": 1}, "spec.maxFailedIndexes", "FieldValueInvalid"),
        (
            {"podFailurePolicy": {"rules": [FAIL_INDEX]}},
            "spec.podFailurePolicy.rules[0].action",
            "FieldValueInvalid",
        ),
        (
            {"podFailurePolicy": {"rules": [{}]}},
            "spec.podFailurePolicy.rules[0].action",
            "FieldValueRequired",
        ),
        (
            {"podFailurePolicy": {"rules": [{"action": "Ignore"}]}},
            "spec.podFailurePolicy.rules[0]",
            "FieldValueInvalid",
        ),
        ({"successPolicy": {"rules": [{"succeededCount": 1}]}}, "spec.successPolicy", "FieldValueForbidden"),
        ({"managedBy": "kueue.x-k8s.io/multikueue"}, "spec.managedBy", "FieldValueForbidden"),
    ],
)
def test_what_a_job_may_not_be_is_refused(
    kube: Kube, namespace: str, change: dict[str, Any], field: str, reason: str
) -> None:
    job = indexed_job("j", "true", 2)
    template = job["spec"]["template"]["spec"] | change.pop("template", {"spec": {}})["spec"]
    job["spec"] |= change | {"template": {"spec": template}}
    refused = kube.http.post(f"apis/batch/v1/namespaces/{namespace}/jobs", json=job).json()
    assert (refused["code"], refused["reason"]) == (422, "Invalid")
    assert (field, reason) in [(cause["field"], cause["reason"]) for cause in refused["details"]["causes"]]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"completions": 5}, "spec.completions"),
        ({"completionMode": "NonIndexed"}, "spec.completionMode"),
        ({"template": {"spec": {"priority": 1}}}, "spec.template"),
        ({"backoffLimitPerIndex": 1}, "spec.backoffLimitPerIndex"),
        ({"selector": {"matchLabels": {"a": "b"}}}, "spec.selector"),
    ],
)
def test_what_of_a_job_may_not_change_is_refused(kube: Kube, namespace: str, change: Any, field: str) -> None:
    kube.batch.create_namespaced_job(namespace, indexed_job("j", "true", 2, suspend=True))
    path = f"apis/batch/v1/namespaces/{namespace}/jobs/j"
    headers = {"Content-Type": "application/strategic-merge-patch+json"}
    refused = kube.http.patch(path, headers=headers, json={"spec": change}).json()
    assert [cause["field"] for cause in refused["details"]["causes"]] == [field]

"""Jobs, as kubernetes.io/docs/concepts/workloads/controllers/job describes them."""

from typing import Any

import pytest

from localkube_server import Kube, Server, container, eventually, indexed_job, job_ended

IGNORE_DISRUPTION = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}


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


def test_restarts_in_place_count_against_the_backoff_limit(kube: Kube, namespace: str) -> None:
    status = run(
        kube, namespace, plain_job("j", "exit 1", backoffLimit=2, pod={"restartPolicy": "OnFailure"})
    )
    assert conditions(status)[-1] == ("Failed", "True", "BackoffLimitExceeded")
    assert len(pods(kube, namespace, "j")) <= 1


def test_the_indexes_that_still_ran_when_a_job_failed_are_no_failed_ones(kube: Kube, namespace: str) -> None:
    """The controller of Kubernetes takes their pods for failed, and calculates the indexes before that."""
    script = "test $JOB_COMPLETION_INDEX != 1 || exit 65; sleep 60"
    status = run(kube, namespace, indexed_job("j", script, 3, backoffLimitPerIndex=0, maxFailedIndexes=0))
    assert conditions(status)[-1] == ("Failed", "True", "MaxFailedIndexesExceeded")
    assert (status.failed_indexes, status.failed) == ("1", 3)
    assert len(pods(kube, namespace, "j")) == 1, "those that still ran are deleted"


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


def test_the_pods_of_a_job_may_be_labelled(kube: Kube, namespace: str) -> None:
    kube.batch.create_namespaced_job(namespace, indexed_job("j", "sleep 60", 1))
    kube.batch.create_namespaced_job(namespace, plain_job("k", "sleep 60"))
    for job in ("j", "k"):
        found = eventually(lambda job=job: pods(kube, namespace, job))[0]
        labels = {"metadata": {"labels": {"seen": "yes"}}}
        changed = kube.core.patch_namespaced_pod(found.metadata.name, namespace, labels)
        assert changed.metadata.labels["seen"] == "yes"
        assert changed.spec.service_account_name == "default"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"successPolicy": {"rules": [{"succeededCount": 1}]}}, "spec.successPolicy"),
        ({"managedBy": "kueue.x-k8s.io/multikueue"}, "spec.managedBy"),
        ({"manualSelector": True}, "spec.manualSelector"),
    ],
)
def test_what_jobs_have_and_localkube_has_not_is_refused_by_name(
    kube: Kube, namespace: str, change: dict[str, Any], field: str
) -> None:
    body = indexed_job("j", "true", 2, **change)
    refused = kube.http.post(f"apis/batch/v1/namespaces/{namespace}/jobs", json=body).json()
    assert (refused["code"], refused["reason"]) == (422, "Invalid")
    assert (field, "FieldValueForbidden") in [
        (cause["field"], cause["reason"]) for cause in refused["details"]["causes"]
    ]

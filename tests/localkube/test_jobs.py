"""Jobs, as kubernetes.io/docs/concepts/workloads/controllers/job describes them."""

import itertools
import secrets
import signal
from typing import Any

import pytest

from localkube.controllers.events import Events
from localkube.controllers.jobs import JobController
from localkube.objects.admission import Admission
from localkube.objects.object import Obj
from localkube.objects.resources import RESOURCES
from localkube.objects.store import Store
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


async def test_no_count_is_lost_when_a_generated_name_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = itertools.chain("bbbbb", "bbbbb", "ccccc")  # the second pod draws the name of the first
    monkeypatch.setattr(secrets, "choice", lambda _: next(letters))
    store = Store(lambda *_: None)
    controller = JobController(store, Events(store), backoff=0.1)
    body = plain_job("j", "true", completions=2, parallelism=1)
    key = store.create("jobs", Admission(RESOURCES["jobs"]).new(body, "n")).key("jobs")
    controller.sync(key)
    store.update("pods", store.existing("pods", "n", "j-bbbbb").with_status(phase="Succeeded"))
    controller.sync(key)
    assert store.existing(*key).at("status.succeeded") == 1
    assert [pod.name for pod in store.objects("pods")] == ["j-bbbbb", "j-ccccc"]


async def test_what_is_counted_is_reported_when_no_pod_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(lambda *_: None)
    controller = JobController(store, Events(store), backoff=0.1)
    body = plain_job("j", "true", completions=2, parallelism=1)
    key = store.create("jobs", Admission(RESOURCES["jobs"]).new(body, "n")).key("jobs")
    controller.sync(key)
    (pod,) = store.objects("pods")
    store.update("pods", pod.with_status(phase="Succeeded"))

    def fail(*_: Any, **__: Any) -> Obj:
        raise RuntimeError("no pod can be made")

    monkeypatch.setattr(controller, "create_pod", fail)
    with pytest.raises(RuntimeError):
        controller.sync(key)
    assert store.existing(*key).at("status.succeeded") == 1
    assert store.objects("pods")[0].finalizers == []


def test_a_success_takes_back_the_backoff(kube: Kube, namespace: str) -> None:
    """Without retries per index all indexes share one backoff; here 7 times 0.2 s, not 0.2 s to 12.8 s."""
    mounts = [{"name": "node", "mountPath": "/node"}]
    script = "test -e /node/$JOB_COMPLETION_INDEX || ! touch /node/$JOB_COMPLETION_INDEX"
    pod = {
        "nodeName": "shared-node-0",
        "containers": [container(script, volumeMounts=mounts)],
        "volumes": [{"name": "node", "hostPath": {"path": f"/{namespace}"}}],
    }
    body = indexed_job("j", "", 7, parallelism=1, backoffLimit=30, pod=pod)
    status = run(kube, namespace, body)
    assert (status.succeeded, status.failed) == (7, 7)
    assert (status.completion_time - status.start_time).total_seconds() < 15


def test_a_deadline_outlives_the_server(own_server: Server) -> None:
    kube = own_server.create_cluster("c")
    kube.batch.create_namespaced_job("default", plain_job("j", "sleep 60", activeDeadlineSeconds=4))
    eventually(lambda: kube.batch.read_namespaced_job("j", "default").status.ready == 1)
    own_server.end(signal.SIGKILL)
    own_server.start()
    assert conditions(job_ended(kube, "default", "j").status)[-1] == ("Failed", "True", "DeadlineExceeded")


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

"""Jobs. The authority: kubernetes.io/docs/concepts/workloads/controllers/job ("Job concepts" below)."""

import pytest
from kubernetes.client.exceptions import ApiException

from cluster.space import INDEX, SLEEP, Space, conditions, exits, soon


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
    kinds, reason = ("SuccessCriteriaMet", "Complete"), "CompletionsReached"
    assert conditions(status) == [(kind, reason) for kind in kinds]
    assert status.completion_time >= status.start_time
    assert (status.active, status.ready, status.terminating) == (None, 0, 0)


def test_the_pods_of_a_finished_job_have_no_finalizer_left(space: Space) -> None:
    """Job concepts, Job tracking with finalizers: a pod is let go once it is counted."""
    space.run_job(space.indexed_job(exits(0, 1), 2, backoffLimitPerIndex=0))
    soon(lambda: not any(pod.metadata.finalizers for pod in space.pods()))
    assert {pod.metadata.owner_references[0].kind for pod in space.pods()} == {"Job"}
    assert all(pod.metadata.owner_references[0].controller for pod in space.pods())
    name, seen = space.pods()[0].metadata.name, {"metadata": {"labels": {"seen": "yes"}}}
    changed = space.kube.core.patch_namespaced_pod(name, space.namespace, seen)
    assert (changed.metadata.labels["seen"], changed.spec.service_account_name) == ("yes", "default")


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
    names = {"controller-uid": uid, "job-name": space.test}
    names |= {f"batch.kubernetes.io/{name}": value for name, value in names.items()}
    assert spec.template.metadata.labels.items() >= names.items()
    assert (spec.completions, spec.parallelism, spec.backoff_limit) == (1, 1, 6)
    assert (spec.completion_mode, spec.pod_replacement_policy) == ("NonIndexed", "TerminatingOrFailed")


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


def test_a_suspended_job_may_be_sent_elsewhere(space: Space) -> None:
    """Job concepts, Mutable Scheduling Directives: what queues change before they let a Job begin."""
    space.make(space.job("", suspend=True))
    inside = {"nodeSelector": {"kubernetes.io/os": "linux"}, "tolerations": [{"operator": "Exists"}]}
    template = {"metadata": {"labels": {"queue": "a"}}, "spec": inside}
    batch, change = space.kube.batch, {"spec": {"suspend": False, "template": template}}
    batch.patch_namespaced_job(space.test, space.namespace, change)
    space.ended_job()
    (pod,) = space.pods()
    assert pod.spec.node_selector == inside["nodeSelector"]
    assert pod.metadata.labels["queue"] == "a"
    template["spec"] = {"nodeSelector": {"kubernetes.io/os": "other"}}
    with pytest.raises(ApiException, match="field is immutable"):
        batch.patch_namespaced_job(space.test, space.namespace, change)


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


def test_indexes_that_a_job_no_longer_has_do_not_complete_it(space: Space) -> None:
    """Job concepts, Elastic Indexed Jobs: a Job is complete when all indexes that it has have succeeded."""
    space.make(space.indexed_job(f"import os\nif os.environ['JOB_COMPLETION_INDEX'] in '12': {SLEEP}", 4))
    soon(lambda: space.job_now().status.completed_indexes == "0,3", "two indexes are done")
    change = {"spec": {"parallelism": 2, "completions": 2}}
    space.kube.batch.patch_namespaced_job(space.test, space.namespace, change)
    soon(lambda: space.job_now().status.completed_indexes == "0", "the last index is forgotten")
    status = space.job_now().status
    assert (status.succeeded, status.active, conditions(status)) == (1, 1, [])


def test_the_index_stays_in_the_pod_names_of_a_job_with_a_long_name(space: Space) -> None:
    """Job concepts, Completion mode: pod names have the form $(job-name)-$(index)-$(random-string)."""
    long = f"{space.test}-{'n' * 60}"[:58]
    body = space.indexed_job("", 1)
    body["metadata"]["name"] = long
    space.make(body)
    (name,) = soon(lambda: [pod.metadata.name for pod in space.pods()])
    assert name.startswith(f"{long[:55]}-0-")


def test_a_container_may_have_its_own_idea_of_its_index(space: Space) -> None:
    """Surprising, and nowhere documented: the variable is added only where a container has none."""
    env = [{"name": "JOB_COMPLETION_INDEX", "value": "mine"}]
    script = "import os; print(os.environ['JOB_COMPLETION_INDEX'])"
    space.run_job(space.indexed_job(script, 1, pod={"container": {"env": env}}))
    path = space.path("Pod", space.pods()[0].metadata.name)
    assert space.kube.http.get(f"{path}/log").text == "mine\n"


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


def test_jobs_and_pods_are_selected_by_how_they_ended(space: Space) -> None:
    """API reference, fieldSelector: status.successful of Jobs; status.phase and spec.nodeName of pods."""
    space.run_job(space.job(""))
    space.make(space.job("", "waiting", suspend=True))
    batch, core = space.kube.batch, space.kube.core

    def jobs(fields: str) -> list[str]:
        selected = {"label_selector": space.selector, "field_selector": fields}
        return [one.metadata.name for one in batch.list_namespaced_job(space.namespace, **selected).items]

    assert jobs("status.successful=1") == [space.test]
    assert jobs("status.successful!=1") == [f"{space.test}-waiting"]
    (pod,) = space.pods()
    for fields, found in {
        "status.phase=Succeeded": [pod.metadata.name],
        "status.phase!=Succeeded": [],
        f"spec.nodeName={pod.spec.node_name}": [pod.metadata.name],
    }.items():
        listed = core.list_namespaced_pod(
            space.namespace, label_selector=space.selector, field_selector=fields
        ).items
        assert [one.metadata.name for one in listed] == found, fields


def test_the_story_of_a_job_is_told_in_events(space: Space) -> None:
    space.run_job(space.job(""))
    name = space.pods()[0].metadata.name

    def story() -> list[tuple[str, str]]:
        return [(one.reason, one.message) for one in space.events("Job", space.test)]

    soon(lambda: len(story()) == 2, "two events")
    assert story() == [("SuccessfulCreate", f"Created pod: {name}"), ("Completed", "Job completed")]

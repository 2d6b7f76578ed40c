"""Jobs. The authority: kubernetes.io/docs/concepts/workloads/controllers/job ("Job concepts" below)."""

from space import INDEX, SLEEP, Space, conditions, exits, soon


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


def test_pods_are_selected_by_how_they_ended_and_where_they_ran(space: Space) -> None:
    """API reference, fieldSelector: status.phase and spec.nodeName of pods."""
    space.run_job(space.job(""))
    (pod,) = space.pods()
    for fields, found in {
        "status.phase=Succeeded": [pod.metadata.name],
        "status.phase!=Succeeded": [],
        f"spec.nodeName={pod.spec.node_name}": [pod.metadata.name],
    }.items():
        listed = space.kube.core.list_namespaced_pod(
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

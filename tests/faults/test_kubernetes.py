"""What a fault of the Kubernetes API costs: tries where another may help, one clear line where none can."""

import time
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException

from clouds.tasks import carry_out, first_event, make
from fault_proxy import HALF, LATE, LOST, RESET, Fault, refusal
from faults.conftest import Site
from higgsdemo.clusters import connect
from higgsdemo.operators.base import TaskFailed, TaskFailedForGood
from higgsdemo.operators.jobs import CleanupJobsOperator, SubmitJobsOperator
from higgsdemo.triggers import polling
from higgsdemo.triggers.jobs import JobsTrigger

PASSING = {str(status): refusal(status) for status in (429, 500, 502, 503, 504)}
PASSING |= {"429-retry-after": refusal(429, Retry_After="1"), "reset": RESET, "slow": LATE}
MORE_PASSING = PASSING | {"half": HALF, "408": refusal(408), "410": refusal(410)}
FINAL = [400, 401, 403, 404, 410, 422]


def submit(site: Site) -> dict[str, int]:
    jobs: dict[str, int] = make(SubmitJobsOperator, site.run).execute({})["jobs"]
    return jobs


def jobs_there(site: Site) -> list[str]:
    return [job.metadata.name for job in site.cluster.batch.list_namespaced_job("higgs").items]


def wait(site: Site, jobs: dict[str, int]) -> Any:
    """Return what the wait for the submitted Jobs, whose pods take a moment, tells in the end."""
    return first_event(JobsTrigger(site.run.model_dump(mode="json"), 0.05, None, sorted(jobs), {"A": 3}))


def completed(site: Site) -> list[str]:
    return [job.status.completed_indexes for job in site.cluster.batch.list_namespaced_job("higgs").items]


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_submission_outlasts_what_passes(site: Site, fault: Fault) -> None:
    site.api.inject(fault, fault, into="POST /")
    jobs = submit(site)
    assert jobs_there(site) == list(jobs)
    assert list(jobs.values()) == [3]


@pytest.mark.parametrize("fault", [LOST, HALF], ids=["lost", "half"])
def test_a_job_whose_answer_was_lost_is_adopted(site: Site, fault: Fault) -> None:
    site.api.inject(fault, into="POST /clusters/" + site.cluster.url.rpartition("/")[2] + "/apis/batch")
    jobs = submit(site)
    assert jobs_there(site) == list(jobs)
    assert submit(site) == jobs


def test_keys_that_cannot_be_removed_are_found_by_the_jobs_of_their_run(site: Site) -> None:
    submit(site)
    site.api.inject(refusal(403), into="/secrets")
    with pytest.raises(TaskFailedForGood, match="cannot delete Secret objects: 403"):
        carry_out(CleanupJobsOperator, site.run)
    assert len(connect(site.run).owned()) == 1
    carry_out(CleanupJobsOperator, site.run)
    assert connect(site.run).owned() == []
    assert site.cluster.core.list_namespaced_secret("higgs").items == []


@pytest.mark.parametrize("status", FINAL)
def test_a_submission_that_is_refused_fails_at_once_and_says_why(site: Site, status: int) -> None:
    site.api.inject(*[refusal(status)] * 5, into="/jobs")
    failed = TaskFailed if status in (401, 410) else TaskFailedForGood
    with pytest.raises(failed, match=rf"cluster kubecon-demo-0: cannot .*: {status} injected"):
        submit(site)
    asked = [request for request in site.api.requests if "/jobs" in request]
    assert [request for request in asked if request.startswith("POST")] == asked[:1]


@pytest.mark.parametrize("status", [200, 404])
def test_a_proxys_page_fails_a_submission_in_words(site: Site, status: int) -> None:
    page = Fault("status", status, {"Content-Type": "text/html; charset=latin-1"}, "<html>Zur\u00fcck</html>")
    site.api.inject(page, into="/jobs")
    with pytest.raises((TaskFailed, TaskFailedForGood), match=r"cluster kubecon-demo-0: cannot create Job"):
        submit(site)


def test_a_submission_gives_up_in_the_end(site: Site) -> None:
    site.api.inject(*[refusal(503)] * 50, into="/jobs")
    with pytest.raises(AirflowException, match=r"cannot create Job .*: 503"):
        submit(site)
    assert len([request for request in site.api.requests if "/jobs" in request]) == 7


@pytest.mark.parametrize("fault", MORE_PASSING.values(), ids=MORE_PASSING)
def test_a_wait_outlasts_what_passes(site: Site, fault: Fault) -> None:
    jobs = submit(site)
    site.api.inject(fault, fault, into="GET /")
    assert wait(site, jobs) == {"finished": True}
    assert completed(site) == ["0-2"]
    assert site.api.faults in ([], [LATE])  # a late answer may be one that the Job has ended


def test_a_wait_does_not_ask_before_the_time_it_was_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = submit(site)
    monkeypatch.setattr(polling, "LONGEST_PAUSE", 60.0)
    site.api.inject(refusal(429, Retry_After="3"), into="GET /")
    began = time.monotonic()
    assert wait(site, jobs) == {"finished": True}
    assert time.monotonic() - began >= 3.0
    assert len(site.api.requests) == 2  # by then the Job had ended


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
def test_a_wait_that_is_refused_ends_at_once_and_says_why(site: Site, status: int) -> None:
    jobs = submit(site)
    site.api.inject(*[refusal(status)] * 5, into="GET /")
    final = {} if status in (404, 409) else {"final": True}
    assert wait(site, jobs) == {"error": f"cluster kubecon-demo-0: {status} injected"} | final
    assert len(site.api.requests) == (2 if status == 403 else 1)


def test_a_connection_that_falls_silent_is_given_up_and_made_anew(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = submit(site)
    monkeypatch.setattr(polling, "ANSWER_IN", 1.0)
    site.api.inject(Fault("silent"), into="GET /")
    assert wait(site, jobs) == {"finished": True}
    assert (site.api.faults, completed(site)) == ([], ["0-2"])


@pytest.mark.parametrize("seed", range(5))
def test_a_run_through_a_bad_network_submits_each_job_once(site: Site, seed: int) -> None:
    site.api.by_seed(seed, 0.25, refusal(500), refusal(429), RESET, LOST, HALF)
    jobs = submit(site)
    assert wait(site, jobs) == {"finished": True}
    assert (jobs_there(site), completed(site)) == (list(jobs), ["0-2"])

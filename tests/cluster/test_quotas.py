"""Quotas: how many objects a namespace may have, what its pods must ask for, how a campaign lives with it."""

import re
from collections.abc import Iterator
from contextlib import suppress

import pytest
from airflow.sdk.exceptions import TaskDeferred
from kubernetes.client.exceptions import ApiException

from clouds.tasks import carry_out, make
from cluster.campaign import Campaign, campaign
from cluster.conftest import Target, new_namespace
from higgsdemo.operators.base import TaskFailed
from higgsdemo.operators.jobs import SubmitJobsOperator
from higgsdemo.operators.prepull import PrepullImageOperator
from higgsdemo.triggers import prepull
from kube_client import Kube
from space import SLEEP, Space, soon

__all__ = ["campaign"]


@pytest.fixture
def space(kube: Kube, target: Target, request: pytest.FixtureRequest) -> Iterator[Space]:
    """Yield a namespace of the test's own, as a quota is of all that is in one."""
    with new_namespace(kube) as name:
        yield Space.of(kube, name, target.image, request.node.name)


def limit(space: Space, **hard: str) -> None:
    """Set a quota, and wait until it is known what is used of it: before, nothing is admitted."""
    core = space.kube.core
    quota = {"metadata": {"name": "narrow"}, "spec": {"hard": hard}}
    core.create_namespaced_resource_quota(space.namespace, quota)
    soon(lambda: core.read_namespaced_resource_quota("narrow", space.namespace).status.used)


@pytest.mark.parametrize(
    ("sidecar", "init", "admitted"), [(600, 300, True), (700, 100, False), (600, 500, False)]
)
def test_sidecars_ask_for_room_beside_the_others_and_init_containers_before_them(
    space: Space, sidecar: int, init: int, admitted: bool
) -> None:
    """Resource sharing within containers: main containers and sidecars add up."""
    asked = [{"resources": {"requests": {"cpu": f"{cpu}m"}}} for cpu in (sidecar, init, 400)]
    beside = space.container("", name="beside", restartPolicy="Always", **asked[0])
    inits = [beside, space.container("", name="then", **asked[1])]
    limit(space, **{"requests.cpu": "1"})
    pod = space.pod("", container=asked[2], initContainers=inits)
    if admitted:
        space.make(pod)
    else:
        assert re.search("requested: requests.cpu=(1100m|1.1),", space.refusal(pod)["message"])


@pytest.mark.parametrize(("kind", "key"), [("Job", "count/jobs.batch"), ("Secret", "secrets")])
def test_what_a_quota_has_no_room_for_is_forbidden_though_its_name_is_taken(
    space: Space, kind: str, key: str
) -> None:
    limit(space, **{key: "1"})
    manifest = {"Job": space.job("", suspend=True), "Secret": space.secret(a="b")}[kind]
    space.make(manifest)
    refusal = space.refusal(manifest)
    told = f"exceeded quota: narrow, requested: {key}=1, used: {key}=1, limited: {key}=1"
    assert (refusal["code"], refusal["reason"]) == (403, "Forbidden")
    assert told in refusal["message"]
    space.clear()

    def made() -> bool:
        try:
            space.make(manifest)
        except ApiException as error:
            return error.status not in (403, 409)
        return True

    soon(made, "there is room again")


def test_pods_that_do_not_ask_for_what_a_quota_limits_are_not_made_and_the_event_says_so(
    space: Space,
) -> None:
    limit(space, **{"limits.cpu": "1"})
    space.make(space.job(""))
    about = space.metadata()["name"]
    (event,) = soon(lambda: [one for one in space.events("Job", about) if one.reason == "FailedCreate"][:1])
    assert "failed quota: narrow: must specify limits.cpu for: main" in event.message


def test_pods_beyond_a_quota_wait_for_those_before(space: Space) -> None:
    limit(space, pods="1")
    assert space.run_job(space.indexed_job("", completions=3)).succeeded == 3


@pytest.mark.parametrize("script", [SLEEP, ""])
def test_submitting_again_under_an_exhausted_quota_finds_or_replaces_what_is_there(
    campaign: Campaign, space: Space, script: str
) -> None:
    run = campaign(script)
    first = run.submit()
    limit(space, **{"count/jobs.batch": "1", "count/secrets": "1", "count/configmaps": "2"})
    if not script:
        soon(lambda: run.jobs()[0].status.completion_time, "the Job ends, and leaves no results")
    assert make(SubmitJobsOperator, run.assignment).execute({}) == first


def test_a_submission_that_a_quota_has_no_room_for_is_to_be_tried_again(
    campaign: Campaign, space: Space
) -> None:
    limit(space, **{"count/jobs.batch": "0"})
    with pytest.raises(TaskFailed, match="exceeded quota"):
        campaign("").submit()


def test_prepull_says_why_a_quota_lets_no_pod_pull_and_the_run_goes_on(
    campaign: Campaign, space: Space, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prepull, "STALLED", 5 / 3600)
    limit(space, pods="0")
    assert carry_out(PrepullImageOperator, campaign("").assignment)["nodes"] == 0
    assert "exceeded quota: narrow, requested: pods=1" in capsys.readouterr().out


def test_prepull_lives_with_a_quota_of_cores_and_memory(campaign: Campaign, space: Space) -> None:
    limit(space, **{"limits.cpu": "1", "limits.memory": "1Gi", "requests.cpu": "1", "requests.memory": "1Gi"})
    run = campaign("")
    with suppress(TaskDeferred):
        make(PrepullImageOperator, run.assignment).execute({})
    soon(run.pods, "the pods that pull are made")

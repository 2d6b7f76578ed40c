"""What the API takes, corrects and refuses of an object. The authority: the API reference."""

import base64
from decimal import Decimal
from typing import Any

import httpx
import pytest
from kubernetes.client.exceptions import ApiException
from kubernetes.utils.quantity import parse_quantity

from campaign_changes import with_changes
from space import SLEEP, Space, causes
from tables import cases


def test_an_unknown_field_is_dropped_and_told(space: Space) -> None:
    """API concepts, Validation for unrecognized fields: Warn is the default, kubectl asks for Strict."""
    body = space.indexed_job("", 1, suspend=True, paralellism=3)
    answer = space.kube.http.post(space.path("Job"), json=body, params={"fieldValidation": "Warn"})
    assert answer.status_code == 201
    assert answer.headers["Warning"] == '299 - "unknown field \\"spec.paralellism\\""'
    assert "paralellism" not in answer.json()["spec"]
    strict = space.kube.http.post(space.path("Job"), json=body, params={"fieldValidation": "Strict"})
    assert strict.status_code == 400
    assert 'strict decoding error: unknown field "spec.paralellism"' in strict.json()["message"]


def patched_job(space: Space, spec: dict[str, Any]) -> httpx.Response:
    """Return what the API answers to a change of the test's Job."""
    headers = {"Content-Type": "application/strategic-merge-patch+json"}
    return space.kube.http.patch(space.path("Job", space.test), headers=headers, json={"spec": spec})


@cases
def test_what_an_object_may_not_be_is_refused_by_its_field(
    space: Space, kind: str, field: str, changes: dict[str, Any]
) -> None:
    body = {
        "ConfigMap": space.config_map(),
        "Job": space.indexed_job("", 2),
        "Pod": space.pod(""),
        "DaemonSet": space.daemon_set(SLEEP),
    }[kind]
    assert field in causes(space.refusal(with_changes(body, changes)))


@pytest.mark.parametrize(
    ("amounts", "code"),
    [
        ({"limits": {"memory": "much"}}, 400),
        ({"requests": {"cpu": "-1"}}, 422),
        ({"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}, 422),
    ],
)
def test_a_quantity_that_makes_no_sense_is_refused(space: Space, amounts: Any, code: int) -> None:
    """API reference, Quantity: what cannot be read is a bad request, what cannot be is invalid."""
    refused = space.refusal(space.pod("", container={"resources": amounts}))
    assert refused["code"] == code


def test_a_quantity_may_be_a_number_and_is_given_back_as_text(space: Space) -> None:
    body = space.pod("", container={"resources": {"requests": {"cpu": 0.5, "memory": 1048576}}})
    answer = space.kube.http.post(space.path("Pod"), json=body, params={"dryRun": "All"})
    made = answer.json()["spec"]["containers"][0]["resources"]["requests"]
    assert {type(amount) for amount in made.values()} == {str}
    assert [parse_quantity(made[name]) for name in ("cpu", "memory")] == [Decimal("0.5"), 1048576]


@pytest.mark.parametrize("value", ["many", 1.5, []])
def test_a_value_of_the_wrong_type_is_a_bad_request(space: Space, value: Any) -> None:
    refused = space.refusal(space.job("", completions=value))
    assert (refused["code"], refused["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize(
    "body", ["x", [], 1, {"spec": 1}, {"metadata": []}, {"kind": "Pod"}, {"apiVersion": "v2"}]
)
def test_what_is_no_job_is_a_bad_request(space: Space, body: Any) -> None:
    assert space.kube.http.post(space.path("Job"), json=body).status_code == 400


def test_a_secret_is_written_as_text_and_read_as_base64(space: Space) -> None:
    """kubernetes.io/docs/concepts/configuration/secret: stringData is write-only."""
    made = space.make(space.secret(x="plain"))
    assert (made.data, made.string_data) == ({"x": base64.b64encode(b"plain").decode()}, None)
    refused = space.refusal(space.secret() | {"data": {"x": "not base64"}})
    assert (refused["code"], "illegal base64 data" in refused["message"]) == (400, True)


def test_a_config_map_has_its_limits(space: Space) -> None:
    """kubernetes.io/docs/concepts/configuration/configmap: at most 1 MiB, and keys of [-._a-zA-Z0-9]."""
    much = space.refusal(space.config_map(data={"x": "y" * (1 << 20) + "y"}))
    assert (much["code"], much["details"]["causes"][0]["reason"]) == (422, "FieldValueTooLong")
    assert causes(space.refusal(space.config_map(data={"a/b": "y"}))) == ["data[a/b]"]


def test_an_immutable_config_map_does_not_change(space: Space) -> None:
    """kubernetes.io/docs/concepts/configuration/configmap, Immutable ConfigMaps."""
    space.make(space.config_map(data={"x": "1"}) | {"immutable": True})
    with pytest.raises(ApiException, match="field is immutable when `immutable` is set") as refused:
        space.kube.core.patch_namespaced_config_map(space.test, space.namespace, {"data": {"x": "2"}})
    assert refused.value.status == 422


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"completions": 5}, "spec.completions"),
        ({"completionMode": "NonIndexed"}, "spec.completionMode"),
        ({"template": {"spec": {"priorityClassName": "a"}}}, "spec.template"),
        ({"backoffLimitPerIndex": 1}, "spec.backoffLimitPerIndex"),
        ({"selector": {"matchLabels": {"a": "b"}}}, "spec.selector"),
    ],
)
def test_what_of_a_job_may_not_change_is_refused(space: Space, change: dict[str, Any], field: str) -> None:
    """API reference, JobSpec: immutable fields."""
    space.make(space.indexed_job(SLEEP, 2))
    assert field in causes(patched_job(space, change).json())


@pytest.mark.parametrize("spec", [{"serviceAccountName": "nobody"}, {"priorityClassName": "none-such"}])
def test_a_pod_of_an_account_or_a_priority_that_is_not_there_is_forbidden(
    space: Space, spec: dict[str, str]
) -> None:
    """Configure Service Accounts for Pods; Pod Priority and Preemption: both are looked up on admission."""
    refused = space.refusal(space.pod("", **spec))
    assert (refused["code"], refused["reason"]) == (403, "Forbidden")


def test_the_spec_of_a_pod_may_not_change(space: Space) -> None:
    """Pods, Pod update and replacement: most of it is immutable, labels are not."""
    space.make(space.pod(SLEEP))
    path, core = space.path("Pod", space.test), space.kube.core
    headers = {"Content-Type": "application/merge-patch+json"}
    refused = space.kube.http.patch(path, headers=headers, json={"spec": {"hostname": "other"}}).json()
    assert refused["code"] == 422
    assert "pod updates may not change fields other than" in refused["message"]
    changed = core.patch_namespaced_pod(space.test, space.namespace, {"metadata": {"labels": {"a": "b"}}})
    assert changed.metadata.labels["a"] == "b"


def test_a_pod_gets_the_defaults_of_kubernetes(space: Space) -> None:
    """API reference; requests default to limits."""
    main = {"name": "main", "image": "none:1", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}
    body = {"metadata": space.metadata(), "spec": {"containers": [main]}}
    made = space.kube.core.create_namespaced_pod(space.namespace, body, dry_run="All")
    container = made.spec.containers[0]
    assert container.resources.requests == container.resources.limits == {"cpu": "1", "memory": "1Gi"}
    assert (container.image_pull_policy, container.termination_message_policy) == ("IfNotPresent", "File")
    assert (made.spec.restart_policy, made.spec.termination_grace_period_seconds) == ("Always", 30)
    assert made.spec.service_account_name == "default"

"""What the API takes, corrects and refuses of an object. The authority: the API reference."""

import base64
from decimal import Decimal
from typing import Any

import httpx
import pytest
from kubernetes.client.exceptions import ApiException
from kubernetes.utils.quantity import parse_quantity

from cluster.space import FAIL_INDEX, SLEEP, Space, causes, conditions, soon


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


ON_EXIT_CODES = "spec.podFailurePolicy.rules[0].onExitCodes"
OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "controller": True}
MANY = {"completions": 200_000, "backoffLimitPerIndex": 1}


def on_exit_codes(**rule: Any) -> dict[str, Any]:
    """The part of a Job's spec that has such a rule."""
    rules = [{"action": "FailJob", "onExitCodes": {"operator": "In", **rule}}]
    return {"podFailurePolicy": {"rules": rules}}


def patched_job(space: Space, spec: dict[str, Any]) -> httpx.Response:
    """What the API answers to a change of the test's Job."""
    headers = {"Content-Type": "application/strategic-merge-patch+json"}
    return space.kube.http.patch(space.path("Job", space.test), headers=headers, json={"spec": spec})


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"finalizers": ["no slash!"]}, "metadata.finalizers"),
        ({"ownerReferences": [OWNER | {"name": x, "uid": x} for x in "ab"]}, "metadata.ownerReferences"),
    ],
)
def test_metadata_that_make_no_sense_are_refused(space: Space, metadata: dict[str, Any], field: str) -> None:
    """API reference, ObjectMeta."""
    body = space.config_map()
    body["metadata"] |= metadata
    assert field in causes(space.refusal(body))


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "a" * 254, "dot.", "a/b"])
def test_a_name_that_is_no_dns_name_is_refused(space: Space, name: str) -> None:
    """kubernetes.io/docs/concepts/overview/working-with-objects/names."""
    body = space.config_map()
    body["metadata"]["name"] = name
    assert set(causes(space.refusal(body))) == {"metadata.name"}


def test_a_label_that_is_none_is_refused(space: Space) -> None:
    assert causes(space.refusal(space.config_map(app="not a label!"))) == ["metadata.labels"]


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
        ({"completions": -1}, "spec.completions"),
        ({"completions": None}, "spec.completions"),
        ({"completionMode": "Sorted"}, "spec.completionMode"),
        ({"maxFailedIndexes": 1}, "spec.backoffLimitPerIndex"),
        ({"maxFailedIndexes": 3, "backoffLimitPerIndex": 1}, "spec.maxFailedIndexes"),
        ({"podFailurePolicy": {"rules": [FAIL_INDEX]}}, "spec.podFailurePolicy.rules[0].action"),
        ({"podFailurePolicy": {"rules": [{"action": "Ignore"}]}}, "spec.podFailurePolicy.rules[0]"),
        (on_exit_codes(containerName="none", values=[1]), f"{ON_EXIT_CODES}.containerName"),
        (on_exit_codes(values=[0]), f"{ON_EXIT_CODES}.values[0]"),
        (on_exit_codes(values=[2, 1]), f"{ON_EXIT_CODES}.values"),
        (MANY | {"parallelism": 20_000, "maxFailedIndexes": 1}, "spec.parallelism"),
        (MANY | {"parallelism": None}, "spec.maxFailedIndexes"),
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
        ({"backoffLimitPerIndex": 1}, "spec.backoffLimitPerIndex"),
        ({"selector": {"matchLabels": {"a": "b"}}}, "spec.selector"),
    ],
)
def test_what_of_a_job_may_not_change_is_refused(space: Space, change: dict[str, Any], field: str) -> None:
    """API reference, JobSpec: immutable fields."""
    space.make(space.indexed_job("", 2, suspend=True))
    assert field in causes(patched_job(space, change).json())


@pytest.mark.parametrize("suspended", [True, False])
def test_the_template_of_a_job_may_not_change(space: Space, suspended: bool) -> None:
    """API reference, JobSpec. From 1.36 on, only the pods' spec of a suspended Job is compared."""
    space.make(space.job(SLEEP, suspend=suspended))
    field = "spec.template.spec" if suspended and space.kube.minor >= 36 else "spec.template"
    refused = patched_job(space, {"template": {"spec": {"terminationGracePeriodSeconds": 7}}})
    assert causes(refused.json()) == [field]


def test_the_resources_of_a_suspended_job_may_change(space: Space) -> None:
    """Job concepts, Mutable pod resources for suspended Jobs: from 1.36 on, also of one that has begun."""
    space.make(space.indexed_job(SLEEP, 1))
    space.ready_pods(1)
    main = {"name": "main", "resources": {"requests": {"cpu": "20m"}}}
    more = {"template": {"spec": {"containers": [main]}}}
    assert causes(patched_job(space, more).json()) == ["spec.template"]
    patched_job(space, {"suspend": True})
    soon(lambda: ("Suspended", "JobSuspended") in conditions(space.job_now().status))
    soon(lambda: space.job_now().status.active is None)
    assert patched_job(space, more).is_success is (space.kube.minor >= 36)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"containers": []}, "spec.containers"),
        ({"containers": [{"name": "A", "image": "x"}]}, "spec.containers[0].name"),
        ({"containers": [{"name": "a"}]}, "spec.containers[0].image"),
        ({"containers": [{"name": "a", "image": "x"}] * 2}, "spec.containers[1].name"),
        ({"restartPolicy": "Sometimes"}, "spec.restartPolicy"),
        ({"hostname": "Bad_Name"}, "spec.hostname"),
        ({"nodeSelector": {"bad key!": "x"}}, "spec.nodeSelector"),
        ({"activeDeadlineSeconds": 0}, "spec.activeDeadlineSeconds"),
    ],
)
def test_what_a_pod_may_not_be_is_refused(space: Space, spec: dict[str, Any], field: str) -> None:
    """API reference, PodSpec."""
    body = space.pod("")
    body["spec"] |= spec
    assert field in causes(space.refusal(body))


NAME = {"fieldRef": {"fieldPath": "metadata.name"}}
HOST_NAME = {"fieldRef": {"fieldPath": "spec.hostname"}}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"env": [{"name": "A=B", "value": "x"}]}, "env[0].name"),
        ({"env": [{"name": "A", "valueFrom": HOST_NAME}]}, "env[0].valueFrom.fieldRef.fieldPath"),
        ({"env": [{"name": "A", "value": "x", "valueFrom": NAME}]}, "env[0].valueFrom"),
        ({"volumeMounts": [{"name": "none", "mountPath": "/x"}]}, "volumeMounts[0].name"),
        ({"volumeMounts": [{"name": "none"}]}, "volumeMounts[0].mountPath"),
        ({"imagePullPolicy": "Sometimes"}, "imagePullPolicy"),
        ({"ports": [{"containerPort": 99999}]}, "ports[0].containerPort"),
    ],
)
def test_what_a_container_may_not_be_is_refused(space: Space, change: dict[str, Any], field: str) -> None:
    """API reference, Container."""
    assert f"spec.containers[0].{field}" in causes(space.refusal(space.pod("", container=change)))


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
    """API reference; requests default to limits, and then the pod's quality of service is Guaranteed."""
    main = {"name": "main", "image": "none:1", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}
    body = {"metadata": space.metadata(), "spec": {"containers": [main]}}
    made = space.kube.core.create_namespaced_pod(space.namespace, body, dry_run="All")
    container = made.spec.containers[0]
    assert container.resources.requests == container.resources.limits == {"cpu": "1", "memory": "1Gi"}
    assert (container.image_pull_policy, container.termination_message_policy) == ("IfNotPresent", "File")
    assert (made.spec.restart_policy, made.spec.termination_grace_period_seconds) == ("Always", 30)
    assert (made.spec.service_account_name, made.status.qos_class) == ("default", "Guaranteed")


@pytest.mark.parametrize(("operator", "values"), [("Like", ["x"]), ("In", []), ("Gt", ["1", "2"])])
def test_a_node_affinity_that_makes_no_sense_is_refused(
    space: Space, operator: str, values: list[str]
) -> None:
    """API reference, NodeSelectorRequirement."""
    terms = [{"matchExpressions": [{"key": "disk", "operator": operator, "values": values}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    refused = space.refusal(space.pod("", affinity={"nodeAffinity": required}))
    assert (refused["code"], refused["reason"]) == (422, "Invalid")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"selector": {"matchLabels": {"other": "x"}}}, "spec.template.metadata.labels"),
        ({"updateStrategy": {"type": "Sometimes"}}, "spec.updateStrategy"),
    ],
)
def test_what_a_daemon_set_may_not_be_is_refused(space: Space, change: Any, field: str) -> None:
    body = space.daemon_set(SLEEP)
    body["spec"] |= change
    refused = space.refusal(body)
    assert field in [cause["field"] for cause in refused["details"]["causes"]]

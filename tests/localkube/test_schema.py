"""The shape of objects: taken from the installed client, enforced as the real server does."""

import pytest

from kubernetes_schema import SCHEMA, text
from localkube_server import Kube, indexed_job


def test_the_schema_is_that_of_the_installed_client() -> None:
    assert SCHEMA.read_text() == text(), "run: python tests/support/kubernetes_schema.py"


def post(kube: Kube, namespace: str, body: object, validation: str = "") -> tuple[int, str, str | None]:
    query = {"fieldValidation": validation} if validation else {}
    answer = kube.http.post(f"apis/batch/v1/namespaces/{namespace}/jobs", json=body, params=query)
    return answer.status_code, answer.json().get("message", ""), answer.headers.get("Warning")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"completions": "many"},
            "cannot unmarshal string into Go struct field Job.spec.completions of type integer",
        ),
        (
            {"completions": 1.5},
            "cannot unmarshal number into Go struct field Job.spec.completions of type integer",
        ),
        ({"suspend": 1}, "cannot unmarshal number into Go struct field Job.spec.suspend of type boolean"),
        (
            {"template": []},
            "cannot unmarshal array into Go struct field Job.spec.template of type PodTemplateSpec",
        ),
        (
            {"template": {"metadata": {"labels": {"a": True}}}},
            "cannot unmarshal bool into Go struct field Job.spec.template.metadata.labels of type string",
        ),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(
    kube: Kube, namespace: str, change: object, message: str
) -> None:
    job = indexed_job("j", "true", 1)
    job["spec"] |= change
    code, told, _ = post(kube, namespace, job)
    assert code == 400
    assert told.endswith(message)


@pytest.mark.parametrize(
    "body", ["x", [], 1, {"spec": 1}, {"metadata": []}, {"kind": "Pod"}, {"apiVersion": "v2"}]
)
def test_what_is_no_job_is_refused(kube: Kube, namespace: str, body: object) -> None:
    assert post(kube, namespace, body)[0] == 400


def test_what_is_no_json_is_refused(kube: Kube, namespace: str) -> None:
    path = f"apis/batch/v1/namespaces/{namespace}/jobs"
    headers = {"Content-Type": "application/json"}
    assert kube.http.post(path, content=b"{", headers=headers).status_code == 400
    assert (
        kube.http.post(path, content=b"a: 1", headers={"Content-Type": "application/yaml"}).status_code == 415
    )
    assert kube.http.post(path, content=b" " * (4 << 20), headers=headers).status_code == 413


def test_a_quantity_may_be_a_number_and_a_secret_must_be_base64(kube: Kube, namespace: str) -> None:
    pod = {"name": "m", "image": "none", "resources": {"requests": {"cpu": 0.5, "memory": 1048576}}}
    body = {"metadata": {"name": "p"}, "spec": {"containers": [pod]}}
    made = kube.http.post(f"api/v1/namespaces/{namespace}/pods", json=body).json()
    assert made["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "0.5", "memory": "1048576"}
    secret = {"metadata": {"name": "s"}, "data": {"x": "not base64"}}
    refused = kube.http.post(f"api/v1/namespaces/{namespace}/secrets", json=secret).json()
    assert refused["code"] == 400
    assert "data: 'not base64': illegal base64 data" in refused["message"]

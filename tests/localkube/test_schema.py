"""The shape of objects: taken from the installed client, enforced as the real server does."""

import pytest

from kubernetes_schema import SCHEMA, text
from localkube_server import Kube, shell_space

JOBS = "apis/batch/v1/namespaces/default/jobs"


def test_the_schema_is_that_of_the_installed_client() -> None:
    assert SCHEMA.read_text() == text(), "run: python tests/support/kubernetes_schema.py"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"completions": 1.5}, "number into Go struct field Job.spec.completions of type integer"),
        ({"suspend": 1}, "number into Go struct field Job.spec.suspend of type boolean"),
        ({"template": []}, "array into Go struct field Job.spec.template of type PodTemplateSpec"),
        (
            {"template": {"metadata": {"labels": {"a": True}}}},
            "bool into Go struct field Job.spec.template.metadata.labels of type string",
        ),
    ],
)
def test_a_value_of_the_wrong_type_is_told_with_its_field(kube: Kube, change: object, message: str) -> None:
    job = shell_space(kube).indexed_job("true", 1)
    job["spec"] |= change
    assert kube.http.post(JOBS, json=job).json()["message"].endswith(f"cannot unmarshal {message}")


def test_what_is_no_json_is_refused(kube: Kube) -> None:
    headers = {"Content-Type": "application/json"}
    for content, code in {b"{": 400, b" " * (4 << 20): 413}.items():
        assert kube.http.post(JOBS, content=content, headers=headers).status_code == code

"""The values for Airflow's official chart, as far as they can be tried without the chart.

The chart, and the schema of its values, are in no package registry: the keys are held against those that its
documentation names. What the values say of this project and of Airflow is held against these themselves.
"""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

KEYS = {
    *("airflowVersion", "allowPodLaunching", "apiSecretKeySecretName", "apiServer", "createUserJob"),
    *("dagProcessor", "dags", "data", "env", "executor", "extraEnvFrom", "fernetKeySecretName", "images"),
    *("jwtSecretName", "logs", "postgresql", "redis", "scheduler", "securityContexts", "statsd", "triggerer"),
}
OF_COMPONENT = {"enabled", "replicas", "resources", "serviceAccount"}
PAGES = tuple(
    f"# {page}.html"
    for page in (
        *("parameters-ref", "production-guide", "manage-dag-files", "manage-logs"),
        "adding-connections-and-variables",
    )
)
COMPONENTS = ("apiServer", "scheduler", "triggerer", "dagProcessor")


@pytest.fixture(scope="module")
def values(repository: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((repository / "deploy/helm/values.yaml").read_text())
    return content


def test_the_keys_are_those_of_the_chart(values: dict[str, Any]) -> None:
    assert set(values) == KEYS
    for component in COMPONENTS:
        assert set(values[component]) <= OF_COMPONENT
        assert set(values[component]["resources"]) == {"requests", "limits"}


def test_every_block_of_values_names_the_page_that_documents_it(repository: Path) -> None:
    _head, *blocks = (repository / "deploy/helm/values.yaml").read_text().split("\n\n")
    assert [block for block in blocks if not block.startswith(PAGES)] == []


def test_the_version_is_that_of_the_lock(repository: Path, values: dict[str, Any]) -> None:
    assert f"\napache-airflow=={values['airflowVersion']} " in (repository / "requirements.lock").read_text()


def test_options_are_airflows_and_paths_those_of_the_image(repository: Path, values: dict[str, Any]) -> None:
    from airflow.configuration import conf

    variables = {item["name"]: item["value"] for item in values["env"]}
    known = conf.configuration_description
    for name in variables:
        match = re.fullmatch(r"AIRFLOW__([A-Z_]+?)__([A-Z_]+)", name)
        assert match
        assert match[2].lower() in known[match[1].lower()]["options"]
    dockerfile = (repository / "deploy/airflow/Dockerfile").read_text()
    for name in ("AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__CORE__PLUGINS_FOLDER"):
        assert f"{name}={variables[name]} " in dockerfile
    assert all(isinstance(value, str) for value in variables.values())


def test_the_login_is_one_that_the_image_has_and_that_one_api_server_keeps(values: dict[str, Any]) -> None:
    (manager,) = [item["value"] for item in values["env"] if item["name"] == "AIRFLOW__CORE__AUTH_MANAGER"]
    module, _, name = manager.rpartition(".")
    assert isinstance(getattr(import_module(module), name), type)
    assert (name, values["apiServer"]["replicas"]) == ("SimpleAuthManager", 1)
    assert values["createUserJob"] == {"enabled": False}  # it knows FAB alone


def test_no_secret_stands_in_the_values(values: dict[str, Any]) -> None:
    (connections,) = yaml.safe_load(values["extraEnvFrom"])
    assert connections == {"secretRef": {"name": "airflow-connections"}}
    assert values["data"] == {"metadataSecretName": "airflow-database"}
    secrets = [values[f"{name}SecretName"] for name in ("fernetKey", "apiSecretKey")] + [
        values["jwtSecretName"]
    ]
    assert secrets == ["airflow-fernet-key", "airflow-api-key", "airflow-jwt"]


def test_who_runs_campaigns_has_the_role_and_nobody_else(repository: Path, values: dict[str, Any]) -> None:
    binding = yaml.safe_load((repository / "deploy/helm/access.yaml").read_text())
    role = next(
        document
        for document in yaml.safe_load_all((repository / "deploy/kubernetes/access.yaml").read_text())
        if document["kind"] == "Role"
    )
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["metadata"]["namespace"] == role["metadata"]["namespace"]
    # Tasks run in the scheduler (LocalExecutor), long waits in the triggerer.
    assert values["executor"] == "LocalExecutor"
    assert [subject["name"] for subject in binding["subjects"]] == [
        values[component]["serviceAccount"]["name"] for component in ("scheduler", "triggerer")
    ]
    assert values["allowPodLaunching"] is False

"""Gives the tests an Airflow of their own, so that none of them reads or writes the user's.

Airflow reads its settings when it is first imported, so they must stand in the environment before any
test module is.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from airflow_variables import Variables

ROOT = Path(__file__).resolve().parents[1]
WITH_THEIR_OWN = ("test_deployment.py", "test_rehearsal.py", "test_benches.py")  # Airflow
_AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="higgs-tests-airflow-"))

for _name in list(os.environ):
    if _name.startswith(("AIRFLOW_", "AWS_", "GOOGLE_", "KUBE")):
        del os.environ[_name]
os.environ |= {
    "AIRFLOW_HOME": str(_AIRFLOW_HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
}

# An example takes as long as the machine is busy; the tests' own time-outs end what hangs.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


class WholeFiles(LoadScopeScheduling):
    """Gives a process whole files, whose tests share servers.

    One process has those that share an Airflow, another those that start one each: not three run at once.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.endswith(WITH_THEIR_OWN):
            return "Airflows"
        return "Airflow" if file.startswith("tests/end_to_end/") else file

    def schedule(self) -> None:
        """Hand files out in the order of the collection, which begins with those that take longest."""
        self.config.option.loadscopereorder = False
        super().schedule()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WholeFiles:
    """Divide the tests among the processes, where there are several."""
    return WholeFiles(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what starts whole services: a process that takes it up last keeps the others waiting."""
    items.sort(key=lambda item: item.get_closest_marker("end_to_end") is None)


def pytest_unconfigure() -> None:
    """Remove the tests' Airflow home."""
    shutil.rmtree(_AIRFLOW_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> Variables:
    """Airflow's Variables, for tasks that a test runs without Airflow."""
    variables = Variables(higgsdemo_airflow="tests")
    if created := sys.modules.get("higgsdemo.operators.created"):
        monkeypatch.setattr(created, "Variable", variables)
    return variables


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout under test."""
    return ROOT


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """An empty, migrated Airflow metadata database (SQLite, in the tests' Airflow home)."""
    from airflow.utils.db import initdb

    initdb()

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

pytest_plugins = (
    *("clustered_file", "gcs_server", "page_alone", "pod_process", "redis_server", "s3_server", "stores"),
    *("clouds.fixtures", "web_server", "workload_files", "xrootd_stand_in", "open_data"),
)
"""Fixtures for every test; here, a server of the session is one for all files of a process."""

ROOT = Path(__file__).resolve().parents[1]
AIRFLOWS = (
    # The last one kills the Airflow of all of them.
    (
        *("end_to_end/test_demo", "end_to_end/test_page", "end_to_end/test_watch"),
        *("end_to_end/test_ended_by_hand", "end_to_end/test_faults"),
    ),
    # Those that start an Airflow of their own are around those that share one, which then stops.
    ("end_to_end/test_deployment", "end_to_end/test_rehearsal", "end_to_end/", "[overhead]", "[page]"),
)
"""What needs an Airflow, in the order of the tests: two groups that take about as long.

A process has one of them, since three Airflows at once are too much for two cores.
"""
OF_SERVERS = (
    "bench",
    "cluster",
    "demo",
    "deploy",
    "end_to_end",
    "examples",
    "faults",
    "localkube",
    "rehearsal",
    # ROOT, Chromium at every width, runs of Airflow, a suite of its own: a third of the time without servers.
    *(
        "test_rdataframe.py",
        "test_every_state.py",
        "test_reason.py",
        "test_tries.py",
        "test_cluster_suite.py",
    ),
)
SERVERS = {"gate", "gcs", "kube", "one_web_server", "pod", "redis_server", "s3_endpoint", "server", "xrootd"}
HEAVY = (  # 12 s of CPU and more each, by CPU
    *("test_benches.py", "test_rdataframe.py", "test_every_state.py", "test_every_cloud.py"),
    *("test_merge_and_plot.py", "test_list_shards.py", "test_life_of_jobs.py", "test_restart.py"),
    *("test_open_data.py", "test_pod.py", "test_campaign.py", "test_access.py", "test_follower.py"),
)
_AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="higgs-tests-airflow-"))
_FILES = "HIGGS_TEST_FILES"  # environment variable: the folder of what all processes of a session share
_own = [_AIRFLOW_HOME]
if _FILES not in os.environ:
    os.environ[_FILES] = tempfile.mkdtemp(prefix="higgs-tests-files-")
    _own.append(Path(os.environ[_FILES]))

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
    """Gives a process whole files, whose tests share servers, or all that share an Airflow."""

    def _split_scope(self, nodeid: str) -> str:
        group, _ = _airflow(nodeid)
        return nodeid.partition("::")[0] if group is None else f"Airflow {group}"

    def schedule(self) -> None:
        """Hand files out in the order of the collection, which begins with those that take longest."""
        self.config.option.loadscopereorder = False
        super().schedule()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WholeFiles:
    """Divide the tests among the processes, where there are several."""
    return WholeFiles(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts servers, and begin with what takes longest: taken up last it would end last."""
    for item in items:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        if {folder, item.path.name} & {*OF_SERVERS} or SERVERS & {*getattr(item, "fixturenames", ())}:
            item.add_marker("services")
        if _airflow(item.nodeid)[0] is not None:
            item.add_marker("end_to_end")
            item.add_marker(pytest.mark.timeout(1800))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[int, int]:
    group, place = _airflow(item.nodeid)
    if group is not None:
        return group, place
    return len(AIRFLOWS), HEAVY.index(item.path.name) if item.path.name in HEAVY else len(HEAVY)


def _airflow(nodeid: str) -> tuple[int | None, int]:
    """Return the group of a test that needs an Airflow, and its place in it."""
    for group, parts in enumerate(AIRFLOWS):
        for place, part in enumerate(parts):
            if part in nodeid:
                return group, place
    return None, 0


def pytest_unconfigure() -> None:
    for folder in _own:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> Variables:
    """Airflow's Variables, for tasks that a test runs without Airflow."""
    variables = Variables(higgsdemo_airflow="tests")
    for name in ("created", "kept"):
        if module := sys.modules.get(f"higgsdemo.operators.{name}"):
            monkeypatch.setattr(module, "Variable", variables)
    return variables


@pytest.fixture(autouse=True)
def constant_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test pay for the tests before it, nor for pytest's stack.

    Airflow compiles all secrets that it was ever told of with each new one; Amazon's hook reads the source
    of every frame to name its caller.
    """
    for package in ("airflow", "airflow.sdk"):
        if module := sys.modules.get(f"{package}._shared.secrets_masker.secrets_masker"):
            module._secrets_masker().reset_masker()
    if module := sys.modules.get("airflow.providers.amazon.aws.hooks.base_aws"):
        monkeypatch.setattr(module.AwsBaseHook, "_get_caller", lambda *_: "Tests")


@pytest.fixture(autouse=True)
def shipped_campaigns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the campaigns of the services that other tests of this process have started from this one."""
    if not {"stack", "deployed"} & {*request.fixturenames}:
        monkeypatch.delenv("HIGGS_CONFIG", raising=False)


@pytest.fixture(scope="session")
def repository() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Make an empty, migrated Airflow metadata database (SQLite, in the tests' Airflow home)."""
    from airflow.utils.db import initdb

    initdb()

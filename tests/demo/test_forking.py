"""Airflow's components are forked from the supervisor, and live as if they had been executed."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.api_fastapi.execution_api.versions import bundle
from airflow.sdk.api.datamodels._generated import API_VERSION

from demo import forking
from demo.files import write_private
from demo.settings import Settings


def _leave(code: object) -> Callable[[], object]:
    return lambda: sys.exit(code)  # type: ignore[arg-type]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return those of a state folder whose localkube has run and whose database is there."""
    monkeypatch.setattr(forking, "SHARED", ())
    monkeypatch.setattr(forking, "OWN", {})
    settings = Settings.load(tmp_path)
    settings.localkube_state.mkdir()
    settings.localkube_token.write_text("token")
    write_private(settings.database_mark, settings.database_version)
    return settings


def forked(settings: Settings, does: Callable[[], object], log: Path) -> tuple[int, str]:
    """Return how a scheduler that only does this ends, and what is in its log."""
    if not (child := os.fork()):
        os.setsid()  # as the supervisor's: no process of the tests is in it
        os.dup2(os.open(log, os.O_CREAT | os.O_WRONLY), 1)
        os.dup2(1, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
        forking.atexit._run_exitfuncs = lambda: print("at the exit")  # type: ignore[attr-defined]
        forking.run = lambda command: (print(*command), does())  # type: ignore[assignment]
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        forking.ForkingOptions(settings).execve("", [], {"SUPERVISOR_PROCESS_NAME": "scheduler"})
    return os.waitpid(child, 0)[1], log.read_text()


@pytest.mark.parametrize(
    ("does", "code", "told"),
    [
        (lambda: None, 0, ""),
        (_leave(None), 0, ""),
        (_leave(3), 3, ""),
        (_leave("no port"), 1, "no port"),
        (lambda: {}["port"], 1, "KeyError: 'port'"),
    ],
)
def test_a_component_ends_as_its_command_does(
    does: Callable[[], object], code: int, told: str, settings: Settings, tmp_path: Path
) -> None:
    status, log = forked(settings, does, tmp_path / "log")
    assert os.waitstatus_to_exitcode(status) == code
    assert log.startswith("airflow scheduler --skip-serve-logs\n")
    assert told in log
    assert log.endswith("at the exit\n")


def test_a_component_takes_signals_for_itself(settings: Settings, tmp_path: Path) -> None:
    status, _ = forked(settings, lambda: signal.raise_signal(signal.SIGTERM), tmp_path / "log")
    assert os.waitstatus_to_exitcode(status) == -signal.SIGTERM


def test_a_component_has_the_environment_of_the_services(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "that of another Airflow")
    monkeypatch.setenv("KUBECONFIG", "of another cluster")
    _, log = forked(settings, lambda: print(dict(os.environ)), tmp_path / "log")
    assert "another" not in log
    assert settings.secrets.fernet_key in log
    assert "AIRFLOW_CONN_LOCALKUBE_DEFAULT" in log


def test_what_cannot_be_imported_is_told_in_the_log_of_the_component(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "SHARED", ("no_such_module",))
    options = forking.ForkingOptions(settings)
    if not (child := options.fork()):
        os._exit(0)
    os.waitpid(child, 0)
    status, log = forked(settings, lambda: None, tmp_path / "log")
    assert os.waitstatus_to_exitcode(status) == 1
    assert "No module named 'no_such_module'" in log


@pytest.mark.parametrize("before", [None, "that of an earlier version"])
def test_one_component_makes_the_database_and_the_others_wait_for_it(
    before: str | None, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.database_mark.unlink()
    if before:
        settings.database_mark.write_text(before)
    done = tmp_path / "done"

    def migrate(command: list[str]) -> None:
        with done.open("a") as file:
            file.write(f"{' '.join(command)}\n")
        time.sleep(0.1)

    monkeypatch.setattr(forking, "run", migrate)
    children = []
    for _ in range(4):
        if not (child := os.fork()):
            forking.migrate_database(settings)
            os._exit(settings.database_mark.read_text() != settings.database_version)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert done.read_text() == "airflow db migrate\n"


def test_routes_are_made_for_tasks_of_this_airflow_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "versions", bundle.versions)
    forking._leave_out_old_versions()
    assert API_VERSION in [version.value for version in bundle.versions]
    assert len(bundle.versions) == 2, "routes for tasks of older Airflows take seconds of each start"

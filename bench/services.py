"""The services of `make demo`, for the benches that need a whole Airflow."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field

from bench.measure import BenchError
from bench.surroundings import REPOSITORY
from demo.settings import USER, Settings
from higgsdemo.command_line.airflow_api import Airflow, AirflowAwayError

PAGE = 100  # tasks in an answer
PATIENCE = 300.0  # s for a run to end, and for Airflow to find a DAG


def copy_of_project(folder: Path, dag: str, campaign: dict[str, Any]) -> Path:
    """Copy what the services need, with one more campaign; return the copy's folder."""
    copy = folder / "project"
    for part in ("dags", "plugins", "include"):  # as they are compiled, too
        shutil.copytree(REPOSITORY / part, copy / part)
    shutil.copy(REPOSITORY / "requirements.lock", copy)
    (copy / "include" / "config" / f"{dag}.json").write_text(json.dumps(campaign))
    return copy


@contextmanager
def services(
    copy: Path, settings: Settings, connections: dict[str, dict[str, Any]], dag: str = "demo-local"
) -> Iterator["PatientAirflow"]:
    """Run Airflow, an S3 server and localkube of a copy of the project, with the data of a campaign."""
    environment = os.environ | {"PYTHONPATH": f"{copy / 'plugins'}{os.pathsep}{copy / 'include'}"}
    for name, document in connections.items():
        environment[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(document)
    command = [sys.executable, "-m", "demo", "--state", str(settings.state)]
    try:
        started = subprocess.run(
            [*command, "up", "--campaign", dag],
            env=environment,
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
        if started.returncode:
            raise BenchError(f"the services do not start:\n{started.stderr}")
        loaded = Settings.load(settings.state)
        session = PatientAirflow(loaded.ui_url, USER, loaded.secrets.ui_password)
        yield session
        session.close()
    finally:
        subprocess.run([*command, "down"], env=environment, cwd=copy, capture_output=True, check=False)


class TaskInstance(BaseModel):
    """One task of a run; a mapped task has one for each index from 0, and -1 before it is expanded."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    label: str | None = Field(default=None, validation_alias="rendered_map_index")


class RunsOfAirflow(Airflow):
    """A session that looks at the tasks of runs, as benches and tests do."""

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run: queued, running, success or failed."""
        state: str = self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"]
        return state

    def tasks(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found: list[TaskInstance] = []
        while True:
            page = self._get(path, query={"limit": PAGE, "offset": len(found)})
            found += [TaskInstance.model_validate(item) for item in page["task_instances"]]
            if len(found) >= page["total_entries"] or not page["task_instances"]:
                return found

    def events(self, dag_id: str, run_id: str, event: str) -> int:
        """How often a run's log has an event: running, deferred, success."""
        query = {"dag_id": dag_id, "run_id": run_id, "event": event, "limit": 1}
        entries: int = self._get("/api/v2/eventLogs", query=query)["total_entries"]
        return entries


class PatientAirflow(RunsOfAirflow):
    """A session that asks again when Airflow is too busy to answer."""

    def seconds(self, dag_id: str, run_id: str) -> float:
        """Return what Airflow says that a run took, since somebody triggered it."""
        run = self._request("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}").json()
        begun, ended = (datetime.fromisoformat(run[when]) for when in ("queued_at", "end_date"))
        return (ended - begun).total_seconds()

    def parse_seconds(self, dag_id: str) -> float:
        """Return how long Airflow has last parsed the file of a DAG."""
        seconds: float = self._get(f"/api/v2/dags/{dag_id}")["last_parse_duration"]
        return seconds

    def _request(self, method: str, path: str, *arguments: Any, **options: Any) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return super()._request(method, path, *arguments, **options)
            except AirflowAwayError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.1)


def until(done: Callable[[], object], what: str, pause: float = 0.1) -> None:
    """Wait until something is so, looking after each pause; raise BenchError after `PATIENCE` seconds."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise BenchError(f"not within {PATIENCE:g} s: {what}")
        time.sleep(pause)

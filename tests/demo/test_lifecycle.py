"""Services that come up again end the runs that cannot go on."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from demo import lifecycle
from demo.settings import Settings
from demo.supervision import Supervision
from higgsdemo.command_line.airflow_api import AirflowAwayError


class BusyAirflow:
    """An Airflow with two runs under way, which fails the first request to end the second of them."""

    def __init__(self) -> None:
        self.active = ["first", "second"]
        self.failures = ["answers 500"]

    def active_runs(self, before: datetime) -> list[tuple[str, str]]:
        return [("demo-local", run) for run in self.active]

    def fail(self, dag_id: str, run_id: str) -> None:
        if run_id == "second" and self.failures:
            raise AirflowAwayError(self.failures.pop())
        self.active.remove(run_id)

    def close(self) -> None:
        pass


def test_runs_end_though_airflow_fails_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    airflow = BusyAirflow()
    monkeypatch.setattr(lifecycle, "airflow", lambda settings: airflow)
    supervision = Supervision(Settings.load(tmp_path / ".run"))
    monkeypatch.setattr(supervision, "check", lambda: None)
    now = datetime.now(UTC)
    lifecycle.wait_until(supervision, lambda: lifecycle._runs_going_on(supervision.settings, now))
    assert airflow.active == []

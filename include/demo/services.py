"""The command and the environment of each local service.

Every service listens on the loopback interface only, except an S3 server that is configured otherwise.
Airflow's settings fit one small machine: they trade some idle work for short latency, and replace a killed
component within seconds instead of minutes. A worker keeps retrying for minutes, as long as an api-server
takes to restart on a busy machine.
"""

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass

from demo.ports import HOST
from demo.settings import REPOSITORY, USER, Settings

QUIET = "ignore:GitWildMatchPattern:DeprecationWarning,ignore:Could not import graphviz:UserWarning"
"""Warnings of Airflow's own code, of which users see one in every log and one in every list of DAGs."""


@dataclass(frozen=True)
class Service:
    """One supervised process."""

    name: str
    command: Callable[[Settings], list[str]]
    environment: Callable[[Settings], dict[str, str]]


def airflow_environment(settings: Settings) -> dict[str, str]:
    """Return Airflow's settings."""
    home = settings.airflow_home
    options: dict[str, dict[str, object]] = {
        "core": {
            "dags_folder": REPOSITORY / "dags",
            "plugins_folder": REPOSITORY / "plugins",
            "load_examples": False,
            "dags_are_paused_at_creation": False,
            "executor": "LocalExecutor",
            "parallelism": 8,
            "dagbag_import_timeout": 120,
            "dagbag_import_error_traceback_depth": 0,
            "hostname_callable": "demo.hostname",
            "execution_api_server_url": f"{settings.ui_url}/execution/",
            "fernet_key": settings.secrets.fernet_key,
            "simple_auth_manager_users": f"{USER}:admin",
            "simple_auth_manager_passwords_file": home / "passwords.json",
        },
        "database": {"sql_alchemy_conn": settings.database},
        "logging": {"base_log_folder": home / "logs"},
        "api": {
            "host": HOST,
            "port": settings.ports.ui,
            "base_url": settings.ui_url,
            "workers": 1,
            "worker_timeout": 3,
            "secret_key": settings.secrets.api_secret_key,
        },
        "api_auth": {"jwt_secret": settings.secrets.jwt_secret},
        "scheduler": {
            "scheduler_idle_sleep_time": 0.2,
            "scheduler_heartbeat_sec": 2,
            "scheduler_health_check_threshold": 10,
            "orphaned_tasks_check_interval": 5,
        },
        "workers": {
            "min_heartbeat_interval": 1,
            "max_failed_heartbeats": 300,
            "execution_api_retries": 60,
            "execution_api_retry_wait_max": 5,
            "missing_dag_retry_delay": 5,
        },
        "triggerer": {"job_heartbeat_sec": 2, "triggerer_health_check_threshold": 10},
        "dag_processor": {"parsing_processes": 1, "dag_file_processor_timeout": 180},
    }
    return {
        "AIRFLOW_HOME": str(home),
        "HIGGS_RESULTS": str(settings.results),
        "PYTHONWARNINGS": QUIET,
        **{
            f"AIRFLOW__{section.upper()}__{option.upper()}": str(value)
            for section, values in options.items()
            for option, value in values.items()
        },
    }


def _component(name: str, *arguments: str) -> Service:
    return Service(
        name,
        lambda settings: ["airflow", name, *arguments],
        lambda settings: airflow_environment(settings) | settings.connections(),
    )


def _s3_command(settings: Settings) -> list[str]:
    where = ("--host", settings.s3_host, "--port", str(settings.ports.s3))
    return [sys.executable, "-m", *settings.stand_ins.s3, *where]


def _localkube_command(settings: Settings) -> list[str]:
    return [
        *(sys.executable, "-m", "localkube", "serve"),
        *("--state", str(settings.localkube_state)),
        *("--port", str(settings.ports.localkube)),
        *("--images", str(settings.images)),
    ]


def _localkube_environment(settings: Settings) -> dict[str, str]:
    command = [sys.executable, "-m", *settings.stand_ins.pods]
    return {"LOCALKUBE_SIMULATION": shlex.join(command)} if settings.stand_ins.pods else {}


FOUNDATIONS = (
    Service("s3", _s3_command, lambda settings: {}),
    Service("localkube", _localkube_command, _localkube_environment),
)
"""What Airflow's connections lead to; these start first."""

AIRFLOW = (
    _component("api-server"),
    _component("scheduler", "--skip-serve-logs"),
    _component("dag-processor"),
    _component("triggerer", "--skip-serve-logs"),
)
"""The components of Airflow. They share a disk, so none serves its logs to another."""

SERVICES = {service.name: service for service in (*FOUNDATIONS, *AIRFLOW)}

"""The supervisor of the local services, which forks Airflow's components from itself.

Imports are most of a component's start, and garbage collection is a quarter of them, although they leave no
garbage. The supervisor imports once what components need, and each of them begins with it; so do tasks, which
the scheduler forks in turn. Services that are not of Airflow are executed, as by any supervisor.
"""

import atexit
import contextlib
import gc
import os
import signal
import sys
import traceback
from importlib import import_module
from pathlib import Path

from supervisor.options import ServerOptions
from supervisor.supervisord import go

from demo.files import locked, write_private
from demo.services import FOUNDATIONS, SERVICES
from demo.session import Session, end
from demo.settings import Settings

SHARED = (
    "airflow.__main__",
    "airflow.api_fastapi.app",
    "airflow.api_fastapi.execution_api.routes",
    "airflow.jobs.dag_processor_job_runner",
    "airflow.jobs.scheduler_job_runner",
    "airflow.jobs.triggerer_job_runner",
    "airflow.sdk.execution_time.task_runner",
    "airflow.utils.db",
    "kubernetes_asyncio.client",
)
WAITS = ("higgsdemo.triggers.cluster", "higgsdemo.triggers.jobs", "higgsdemo.triggers.prepull")
OWN = {
    "scheduler": (
        "airflow.providers.amazon.aws.hooks.base_aws",
        "greenback",
        "iminuit",
        "jinja2.ext",
        "kubernetes.client",
        "mplhep",
        "obstore.auth.boto3",
        "obstore.store",
        "higgsdemo.clusters.local",
        "higgsdemo.dag",
        "higgsdemo.datasets.listing",
        "higgsdemo.kubernetes.jobs",
        "higgsdemo.kubernetes.api",
        "higgsdemo.publication.numbers",
        "higgsdemo.publication.summarise",
        *WAITS,
    ),
    "triggerer": WAITS,
}
"""What one component, or its tasks, need besides; the dag-processor imports plugins for each parse."""


class ForkingOptions(ServerOptions):  # type: ignore[misc]  # its package has no types
    """How the supervisor of a state folder starts processes."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings, self._environment = settings, settings.environment()

    def fork(self) -> int:
        """Fork, with what Airflow needs once all that starts before it runs."""
        running = {process.config.name for process in self.pidhistory.values()}
        if running >= {service.name for service in FOUNDATIONS}:
            with contextlib.suppress(Exception):  # a component that cannot import it says why, in its own log
                preload(SHARED)
        pid: int = super().fork()
        return pid

    def execve(self, filename: str, argv: list[str], env: dict[str, str]) -> None:
        """Become a service, in a process that was forked for it; end first what a killed one left behind."""
        service = SERVICES[env["SUPERVISOR_PROCESS_NAME"]]
        end(Session.led_by(os.getsid(0)).orphans(), grace=0)
        command = service.command(self._settings)
        variables = self._environment | service.environment(self._settings)
        if command[0] != "airflow":
            os.execve(command[0], command, variables)
        os.environ.clear()
        os.environ.update(variables)
        for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR2):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os._exit(_exit_code(service.name, command, self._settings))


def preload(modules: tuple[str, ...]) -> None:
    """Import modules, which later garbage collections then leave out."""
    gc.disable()
    try:
        for module in modules:
            import_module(module)
        if modules is SHARED:
            _configure_mappers()
            _leave_out_old_versions()
    finally:
        gc.freeze()
        gc.enable()


def _exit_code(name: str, command: list[str], settings: Settings) -> int:
    """Run a component to its end, as its interpreter would."""
    try:
        preload(SHARED)
        preload(OWN.get(name, ()))
        migrate_database(settings)
        run(command)
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1
    except BaseException:  # noqa: BLE001 - else the supervisor gets it
        traceback.print_exc()
        return 1
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
    return 0


def run(command: list[str]) -> None:
    """Run a command of Airflow in this process."""
    sys.argv[:] = command
    import_module("airflow.__main__").main()


def migrate_database(settings: Settings) -> None:
    """Make or upgrade Airflow's database, unless these very dependencies already did."""
    done, version = settings.database_mark, settings.database_version
    with locked(settings.airflow_home / "migrate.lock"):
        if not (done.exists() and done.read_text() == version):
            run(["airflow", "db", "migrate"])
            write_private(done, version)


def _configure_mappers() -> None:
    """Resolve how Airflow's tables are related, which each component would do with its first query."""
    from sqlalchemy.orm import configure_mappers

    configure_mappers()


def _leave_out_old_versions() -> None:
    """Serve tasks of this Airflow alone: no older ones are here, and routes for them take 3 s of CPU to make.

    The version before the newest must stay: it has a route that the newest lacks, and none may be unused.
    """
    from airflow.api_fastapi.execution_api.versions import bundle

    bundle.versions = bundle.versions[:2]


def main(state: str, *arguments: str) -> None:
    """Supervise the services of a state folder until it is told to end."""
    options = ForkingOptions(Settings.load(Path(state)))
    options.realize(arguments)
    options.first, options.test = True, False
    go(options)
    options.close_httpservers()
    options.close_logger()


if __name__ == "__main__":
    main(*sys.argv[1:])

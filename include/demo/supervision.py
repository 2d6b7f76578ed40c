"""Start, watch and stop the services under a supervisor, which restarts any of them that dies."""

import contextlib
import fcntl
import http.client
import json
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterable, Iterator
from configparser import RawConfigParser
from dataclasses import dataclass
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport

from demo.files import locked, write_private
from demo.images import workload_images
from demo.services import SERVICES, airflow_environment
from demo.session import Session, is_alive
from demo.settings import USER, Settings
from higgsdemo.command_line.ending import AWAY, CommandError

_GROUP = "higgs"
_STOP_SECONDS = 5
"""Seconds that a service gets to end by itself."""


class ServiceError(CommandError):
    """A service does not start or has given up; the message has its name and the end of its log."""

    code = AWAY


@dataclass(frozen=True)
class ServiceState:
    """A service as the supervisor sees it: state (RUNNING, BACKOFF, FATAL, ...) and process id (0: none)."""

    name: str
    state: str
    pid: int


class Supervision:
    """The supervisor of one state folder."""

    def __init__(self, settings: Settings) -> None:
        self.settings, state = settings, settings.state
        self.config_file = state / "supervisord.conf"
        """The supervisor's configuration, rewritten at every start, without secrets."""
        self.session_file = state / "session.json"
        """The file with the process session of the services while they run."""
        self._users_file, self._kept_file = state / "users.lock", state / "keep"

    def states(self) -> list[ServiceState]:
        """Return the state of every service; empty when no supervisor answers, or it is about to end."""
        try:
            processes = self._call("supervisor.getAllProcessInfo")
        except (OSError, http.client.HTTPException, xmlrpc.client.Fault):
            return []
        order = list(SERVICES)
        states = [ServiceState(found["name"], found["statename"], found["pid"]) for found in processes]
        return sorted(states, key=lambda state: order.index(state.name))

    def start_supervisor(self) -> None:
        """Start the supervisor with no service yet, after ending what an earlier one left running.

        :raises ServiceError: when it does not answer.
        """
        self.stop()
        self.settings.choose()
        self.settings = self.settings.with_free_ports()
        self._write_configuration()
        command = [sys.executable, "-m", "demo.forking", str(self.settings.state), "--nodaemon"]
        with (self.settings.logs / "supervisord.out").open("wb") as output:
            supervisor = subprocess.Popen(
                [*command, "--configuration", str(self.config_file)],
                cwd=self.settings.state,
                env=self.settings.environment() | airflow_environment(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        write_private(self.session_file, Session.led_by(supervisor.pid).model_dump_json())
        deadline = time.monotonic() + 120
        while not self.states():
            if supervisor.poll() is not None or time.monotonic() > deadline:
                raise ServiceError(
                    f"The process supervisor does not start.\n{self.log_tail('supervisord.out')}"
                )
            time.sleep(0.05)

    def start(self, names: Iterable[str]) -> None:
        """Start the named services that do not run yet, without waiting until they are healthy."""
        stopped = {state.name for state in self.states() if state.state in ("STOPPED", "EXITED", "FATAL")}
        for name in names:
            if name in stopped:
                self._call("supervisor.startProcess", f"{_GROUP}:{name}", False)

    def stop(self) -> bool:
        """Stop the services, the supervisor and all they leave behind; return whether anything ran."""
        session = Session.remembered(self.session_file)
        ran = bool(session and session.members())
        with contextlib.suppress(OSError, http.client.HTTPException, xmlrpc.client.Fault):
            self._call("supervisor.shutdown")
        if session:
            with contextlib.suppress(psutil.NoSuchProcess):
                leader = psutil.Process(session.leader)
                deadline = time.monotonic() + _STOP_SECONDS + 5
                while session.members() and is_alive(leader) and time.monotonic() < deadline:
                    time.sleep(0.1)
            session.end(grace=1)
        for left in (self.session_file, self.settings.control_socket, self._kept_file):
            left.unlink(missing_ok=True)
        return ran

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep `stop_unless_used` of others from stopping the services while this context lasts."""
        with self._users_file.open("a") as users:
            fcntl.flock(users, fcntl.LOCK_SH)
            yield

    def keep(self) -> None:
        """Keep the services running when nobody uses them, until `stop`."""
        self._kept_file.touch()

    def stop_unless_used(self) -> bool:
        """Stop the services if nobody uses them or asked to keep them; return whether they are stopped."""
        with self.alone(), self._users_file.open("a") as users:
            if self._kept_file.exists():
                return False
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self.stop()
            return True

    def check(self) -> None:
        """Raise ServiceError when a service has given up, with the end of its log."""
        for state in self.states():
            if state.state == "FATAL":
                tail = self.log_tail(f"{state.name}.log")
                raise ServiceError(f"The service {state.name} does not start. Its log ends with:\n{tail}")

    def log_tail(self, name: str, lines: int = 20) -> str:
        """Return the last lines of a log file, or a note that there are none."""
        path = self.settings.logs / name
        try:
            text = path.read_text(errors="replace")
        except FileNotFoundError:
            return f"  (there is no {path})"
        return "\n".join(f"  {line}" for line in text.splitlines()[-lines:]) or f"  ({path} is empty)"

    def alone(self, wait: Callable[[], object] = lambda: None) -> contextlib.AbstractContextManager[None]:
        """Keep others from starting or stopping the same services while this context lasts."""
        return locked(self.settings.state / "start.lock", wait)

    def write_images(self) -> None:
        """Write what localkube can run; it reads the file again whenever it changes."""
        write_private(self.settings.images, json.dumps(workload_images(), indent=2))

    def _write_configuration(self) -> None:
        settings = self.settings
        write_private(
            settings.airflow_home / "passwords.json", json.dumps({USER: settings.secrets.ui_password})
        )
        config = RawConfigParser()
        config["unix_http_server"] = {"file": _literal(settings.control_socket), "chmod": "0700"}
        config["supervisord"] = {
            "logfile": _literal(settings.logs / "supervisord.log"),
            "logfile_maxbytes": "1MB",
            "logfile_backups": "1",
            "pidfile": _literal(settings.state / "supervisord.pid"),
            "childlogdir": _literal(settings.logs),
            "umask": "077",
        }
        config["rpcinterface:supervisor"] = {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        }
        for name in SERVICES:
            config[f"program:{name}"] = {
                "command": _literal(shlex.quote(sys.executable)),  # demo.forking knows the real one
                "directory": _literal(settings.state),
                "autostart": "false",
                "autorestart": "true",
                "startsecs": "3",
                "startretries": "3",
                "stopasgroup": "true",
                "killasgroup": "true",
                "stopwaitsecs": str(_STOP_SECONDS),
                "redirect_stderr": "true",
                "stdout_logfile": _literal(settings.logs / f"{name}.log"),
                "stdout_logfile_maxbytes": "10MB",
                "stdout_logfile_backups": "1",
            }
        config[f"group:{_GROUP}"] = {"programs": ",".join(SERVICES)}
        with self.config_file.open("w") as file:
            config.write(file)

    def _call(self, method: str, *arguments: object) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.settings.control_socket}")
        server = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
        try:
            return getattr(server, method)(*arguments)
        finally:
            transport.close()


def _literal(text: object) -> str:
    """Escape a value for the supervisor's configuration, in which a percent sign begins an expansion."""
    return str(text).replace("%", "%%")

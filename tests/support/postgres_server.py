"""A real PostgreSQL (Debian's `postgresql`) on a free port, for Airflow's database."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from demo.ports import free_port

USER = "airflow"
PASSWORD = "postgres of the tests"


class PostgresServer:
    """A server with an empty database, in a folder of its own below the system's temporary folder."""

    def __init__(self) -> None:
        self._programs = _programs()
        self._folder = Path(tempfile.mkdtemp(prefix="higgs-postgres-"))
        self.port = free_port()
        password = self._folder / "password"
        password.write_text(PASSWORD)
        if _owner():
            shutil.chown(self._folder, _owner())
            shutil.chown(password, _owner())
        self._run("initdb", "--auth=scram-sha-256", f"--username={USER}", f"--pwfile={password}")
        settings = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c fsync=off -k {self._folder}"
        self._run("pg_ctl", "start", "--wait", "--log", str(self._folder / "log"), "--options", settings)

    @property
    def url(self) -> str:
        """The database as Airflow is told of it."""
        password = PASSWORD.replace(" ", "%20")
        return f"postgresql+psycopg2://{USER}:{password}@127.0.0.1:{self.port}/postgres"

    def stop(self) -> None:
        """End the server and remove its folder."""
        self._run("pg_ctl", "stop", "--mode=immediate")
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), f"--pgdata={self._folder / 'data'}", *arguments]
        if _owner():  # PostgreSQL refuses to run as root
            command = ["setpriv", f"--reuid={_owner()}", f"--regid={_owner()}", "--clear-groups", *command]
        # Its output goes to a file: a pipe would stay open for as long as the server runs.
        with (self._folder / "programs.log").open("a") as log:
            done = subprocess.run(command, cwd=self._folder, stdout=log, stderr=log, check=False)
        assert done.returncode == 0, (self._folder / "programs.log").read_text()


def _programs() -> Path:
    """Where Debian or anyone else has put the server's programs; skips the test where there are none."""
    found = [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    if command := shutil.which("initdb"):
        found.append(Path(command).parent)
    if not found:
        pytest.skip("PostgreSQL is not installed")
    return found[-1]


def _owner() -> str | None:
    """Who the server runs as when we are root: the user of Debian's package, or nobody."""
    if os.getuid():
        return None
    return "postgres" if any(user.pw_name == "postgres" for user in pwd.getpwall()) else "nobody"

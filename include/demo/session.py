"""Find every process that the services started, so that nothing outlives them, even after a `kill -9`.

The supervisor leads a process session, and whatever it starts stays in it. That mark cannot be lost, whereas
process groups change (each Airflow task makes one), parents die, and a task's environment cannot be read.
"""

import contextlib
import os
import time
from pathlib import Path
from typing import Self

import psutil
from pydantic import BaseModel, ConfigDict

from demo.files import read_content

_CLOCK_SLACK = 10.0
"""Seconds by which a process' start time, read twice, may differ when the clock is set in between."""


class Session(BaseModel):
    """A process session, known by its leader: the process id and its start time (seconds since 1970)."""

    model_config = ConfigDict(frozen=True)

    leader: int
    created: float

    @classmethod
    def led_by(cls, leader: int) -> Self:
        """Return the session of a running leader; raise psutil.NoSuchProcess when it has ended."""
        return cls(leader=leader, created=psutil.Process(leader).create_time())

    @classmethod
    def remembered(cls, path: Path) -> Self | None:
        """Return the session written to a file, or None when there is no such file; ValueError names it."""
        return read_content(cls, path, "remove it once no service runs") if path.exists() else None

    def members(self) -> list[psutil.Process]:
        """Return the living processes of the session, its leader among them."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
                if os.getsid(process.pid) != self.leader or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if process.pid == self.leader and abs(process.create_time() - self.created) > _CLOCK_SLACK:
                    return []  # the number now belongs to another process, and so does the session
                found.append(process)
        return found

    def orphans(self) -> list[psutil.Process]:
        """Return members whose parent died, and all their descendants."""
        members = {process.pid: process for process in self.members()}
        parents = {}
        for pid, process in members.items():
            with contextlib.suppress(psutil.Error):
                parents[pid] = process.ppid()
        kept = {self.leader}
        while more := {pid for pid, parent in parents.items() if parent in kept} - kept:
            kept |= more
        return [process for pid, process in members.items() if pid not in kept]

    def end(self, grace: float) -> None:
        """End every member, by force after `grace` seconds."""
        end(self.members(), grace)
        end(self.members(), 0)


def end(processes: list[psutil.Process], grace: float) -> None:
    """Ask processes to terminate, and kill those that still run after `grace` seconds (at once for 0)."""
    if grace:
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.terminate()
        _wait(processes, grace)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    _wait(processes, 5)


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process still runs; one that ended but was not reaped by its parent does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _wait(processes: list[psutil.Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(is_alive(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(0.05)

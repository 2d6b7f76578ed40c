"""One container as one process: started in its own session, signalled as a group, always reaped."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from localkube.node.reaper import kill

_START = 'echo "+$$" >&0 && exec "$@" </dev/null'  # standard input is the reaper's pipe at first
_POLL = 0.03  # seconds


class Reaper:
    """The process that kills all containers when this one is gone (reaper.py); it is replaced when it dies.

    It holds the lock of the state directory until it is done.
    """

    def __init__(self, lock: int) -> None:
        self._lock = lock
        self._running: set[int] = set()
        self._process = self._begin()
        self._replacing = asyncio.get_running_loop().create_task(self._replace())

    def _begin(self) -> "subprocess.Popen[bytes]":
        reading, self._pipe = os.pipe()
        os.write(self._pipe, b"".join(b"+%d\n" % pid for pid in self._running))  # before there is a reader
        program = [sys.executable, "-I", "-S", str(Path(__file__).with_name("reaper.py"))]
        begun = subprocess.Popen(program, stdin=reading, start_new_session=True, pass_fds=[self._lock])
        os.close(reading)
        return begun

    async def _replace(self) -> None:
        while True:
            await _ended(self._process)
            os.close(self._pipe)
            self._process = self._begin()

    def start(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path) -> "Process":
        """Start a container, known to the reaper before its command runs; raise OSError when that fails."""
        command = ["/bin/sh", "-c", _START, "sh", *argv]
        with log.open("ab") as out:
            popen = subprocess.Popen(
                command, stdin=self._pipe, stdout=out, stderr=out, env=env, cwd=cwd, start_new_session=True
            )
        self._running.add(popen.pid)
        return Process(popen, self)

    def forget(self, pid: int) -> None:
        """Stop tracking a container that has ended: another process may get its number."""
        self._running.discard(pid)
        with suppress(BrokenPipeError):  # the next reaper will not hear of it
            os.write(self._pipe, b"-%d\n" % pid)


class Process:
    """A running container."""

    def __init__(self, popen: subprocess.Popen[bytes], reaper: Reaper) -> None:
        self._popen, self._reaper = popen, reaper
        self.pid = popen.pid

    def signal(self, number: int) -> None:
        """Signal the whole process group; nothing happens when it has ended."""
        if self._popen.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    async def wait(self) -> int:
        """Wait for the exit code, 128 + n after signal n; kill what else of the session still runs."""
        code = await _ended(self._popen)
        kill({self.pid})
        self._reaper.forget(self.pid)
        return code if code >= 0 else 128 - code


async def _ended(process: subprocess.Popen[bytes]) -> int:
    while (code := process.poll()) is None:
        await asyncio.sleep(_POLL)
    return code

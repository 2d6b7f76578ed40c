"""How the pods of simulated nodes end: after a set time, without a process, to rehearse large campaigns.

One process may replace the containers of all of them. `LOCALKUBE_SIMULATION` in the server's environment is
its command; it gets each pod that has run its time, and answers with an exit code. Clients that create
clusters cannot set it: it runs as the server's user.
"""

import asyncio
import itertools
import json
import logging
import os
import shlex
from asyncio.subprocess import PIPE, Process
from functools import cache

from localkube.objects.object import Obj, encode

log = logging.getLogger(__name__)
COMMAND = "LOCALKUBE_SIMULATION"
_LOST = 137  # exit code of pods whose stand-in ends before it has answered, as of killed containers


class StandIn:
    """The process that replaces containers.

    It reads a JSON line `{"id", "cluster", "pod"}` for each pod, and writes `{"id", "exitCode"}`, in any
    order. It ends with its input, and so with the server; if it ends before, it is restarted.
    """

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._starting = asyncio.Lock()
        self._process: Process | None = None
        self._listener: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._numbers = itertools.count()

    async def exit_code(self, cluster: str, pod: Obj) -> int:
        """Return the exit code that the containers of a pod would have had."""
        number = next(self._numbers)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            process = await self._running()
            if process.stdin is not None:
                process.stdin.write(encode({"id": number, "cluster": cluster, "pod": pod}) + b"\n")
                await process.stdin.drain()
            return await answer
        except OSError as error:
            log.error("%s cannot be asked: %s", shlex.join(self._command), error)
            return _LOST
        finally:
            self._waiting.pop(number, None)

    async def _running(self) -> Process:
        async with self._starting:
            if self._process is None or self._process.returncode is not None:
                self._process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE)
                self._listener = asyncio.create_task(self._listen(self._process))
            return self._process

    async def _listen(self, process: Process) -> None:
        if process.stdout is not None:
            async for line in process.stdout:
                said = json.loads(line)
                self._answer(said["id"], int(said["exitCode"]))
        log.error("%s has ended with %d", shlex.join(self._command), await process.wait())
        for number in list(self._waiting):
            self._answer(number, _LOST)

    def _answer(self, number: int, code: int) -> None:
        if (answer := self._waiting.get(number)) and not answer.done():
            answer.set_result(code)


@cache
def stand_in() -> StandIn | None:
    """Return the stand-in of this server, if it has one."""
    command = shlex.split(os.environ.get(COMMAND, ""))
    return StandIn(command) if command else None

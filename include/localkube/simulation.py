"""Pods of simulated nodes: they finish after a set time, without a process, to rehearse large campaigns.

One process may stand in for what the containers of all of them would have done. `LOCALKUBE_SIMULATION` in
the server's environment is its command; it is told each pod that has run its time, and says how that ended.
Whoever may make clusters cannot name it: it runs as the server's user.
"""

import asyncio
import hashlib
import itertools
import json
import logging
import os
import shlex
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass, field
from functools import cache

from localkube.objects import Obj, labels_of, name_of, now
from localkube.pod_status import ContainerStatus, End, Node, pod_status

log = logging.getLogger(__name__)
COMMAND = "LOCALKUBE_SIMULATION"
_LOST = 137  # exit code of pods whose stand-in ends before it has answered, as of killed containers


@dataclass(eq=False)
class StandIn:
    """The process that stands in for containers.

    It reads a JSON line `{"id", "cluster", "pod"}` for each pod, and writes `{"id", "exitCode"}`, in any
    order. It ends when its input does, which is with the server; should it end before, it is started again.
    """

    command: list[str]
    _process: Process | None = None
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: dict[int, asyncio.Future[int]] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _listener: asyncio.Task[None] | None = None

    async def exit_code(self, cluster: str, pod: Obj) -> int:
        """What the containers of a pod would have ended with."""
        number = next(self._numbers)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            line = json.dumps({"id": number, "cluster": cluster, "pod": pod}).encode() + b"\n"
            stdin = (await self._running()).stdin
            if stdin is not None:
                stdin.write(line)
                await stdin.drain()
            return await answer
        except OSError as error:
            log.error("%s cannot be asked: %s", shlex.join(self.command), error)
            return _LOST
        finally:
            self._waiting.pop(number, None)

    async def _running(self) -> Process:
        async with self._starting:
            if self._process is None or self._process.returncode is not None:
                self._process = await asyncio.create_subprocess_exec(*self.command, stdin=PIPE, stdout=PIPE)
                self._listener = asyncio.create_task(self._listen(self._process))
            return self._process

    async def _listen(self, process: Process) -> None:
        if process.stdout is not None:
            async for line in process.stdout:
                said = json.loads(line)
                if (answer := self._waiting.get(said["id"])) and not answer.done():
                    answer.set_result(int(said["exitCode"]))
        log.error("%s has ended with %d", shlex.join(self.command), await process.wait())
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(_LOST)


@cache
def stand_in() -> StandIn | None:
    """The stand-in of this server, if it has one."""
    command = shlex.split(os.environ.get(COMMAND, ""))
    return StandIn(command) if command else None


@dataclass(frozen=True)
class Simulation:
    """How long pods run and which share of them fails; the same seed (the cluster) fails the same ones."""

    seconds: float
    failure_rate: float
    seed: str

    async def exit_code(self, pod: Obj) -> int:
        """What a pod that has run its time ends with."""
        if self.fails(pod):
            return 1
        standing_in = stand_in()
        return await standing_in.exit_code(self.seed, pod) if standing_in else 0

    def fails(self, pod: Obj) -> bool:
        annotations = pod["metadata"].get("annotations") or {}
        index = annotations.get("batch.kubernetes.io/job-completion-index")
        who = (
            name_of(pod)
            if index is None
            else "/".join(
                (
                    labels_of(pod).get("batch.kubernetes.io/job-name", ""),
                    index,
                    annotations.get("batch.kubernetes.io/job-index-failure-count", "0"),
                )
            )
        )
        digest = hashlib.sha256(f"{self.seed}/{who}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64 < self.failure_rate


class SimulatedPod:
    """A pod that only looks as if it ran; one that restarts always runs until it is stopped."""

    def __init__(self, node: Node, pod: Obj, simulation: Simulation) -> None:
        self.pod, self._node, self._simulation = pod, node, simulation
        self._stopped = asyncio.Event()
        self._end: End | None = None
        self._started = now()
        spec = pod["spec"]
        self._init = [ContainerStatus(one, pod, init=True) for one in spec.get("initContainers") or ()]
        self._main = [ContainerStatus(one, pod) for one in spec["containers"]]

    def stop(self, grace: float, end: End | None = None) -> None:
        self._end = end or self._end
        self._stopped.set()

    async def run(self) -> None:
        began = now()
        for one in self._init:
            one.terminated(0, "Completed", "", began)
        for one in self._main:
            one.running("simulated://")
        self._publish("Running")
        forever = self.pod["spec"]["restartPolicy"] == "Always"
        try:
            await asyncio.wait_for(self._stopped.wait(), None if forever else self._simulation.seconds)
            code = 143
        except TimeoutError:
            code = await self._simulation.exit_code(self.pod)
        for one in self._main:
            one.terminated(code, "Error" if code else "Completed", "", began)
        self._publish("Failed" if code else "Succeeded")

    def _publish(self, phase: str) -> None:
        self.pod = self._node.publish(
            self.pod,
            pod_status(
                self.pod,
                phase,
                self._started,
                self._init,
                self._main,
                self._end if phase != "Running" else None,
            ),
        )

"""One pod on a node: its containers run as processes, one after another (init) and then side by side.

A sidecar is an init container that restarts always: the next one waits for its start instead of its end, and
it is asked to end when the main containers have.
"""

import asyncio
import signal
import time
from contextlib import suppress

from localkube.controllers.controller import Controller
from localkube.node.pod_status import ContainerStatus, End, pod_status
from localkube.node.process import Process
from localkube.node.runtime import Machine, Runtime
from localkube.node.simulation import stand_in
from localkube.node.volumes import NotReady
from localkube.objects.object import Obj, at, now

_RETRY = 2.0  # seconds until a volume or a container is tried again
_POLL = 0.03  # seconds until a sidecar is looked at again that has not started
_LONGEST_BACKOFF = 300.0
_STABLE = 600.0  # a container that ran so long restarts without delay again


class PodWorker:
    """Runs one pod until its containers have ended for good or it must stop."""

    def __init__(self, kubelet: Controller, machine: Machine, pod: Obj) -> None:
        self.pod = pod
        self._kubelet, self._machine = kubelet, machine
        self.runtime = Runtime(machine, kubelet.store, pod)
        self._stop = asyncio.Event()
        self._end: End | None = None
        self._started = pod.at("status.startTime") or now()
        self._init = [ContainerStatus(one, pod, init=True) for one in pod["spec"].get("initContainers") or ()]
        self._main = [ContainerStatus(one, pod) for one in pod["spec"]["containers"]]
        self._sidecars: dict[str, asyncio.Task[None]] = {}  # by name, in the order of their start
        self.processes: dict[str, Process] = {}  # by name of the container
        self._backoff: dict[str, float] = {}
        self._out_of_memory: set[str] = set()

    def stop(self, grace: float, end: End | None = None) -> None:
        """Send SIGTERM now and SIGKILL after the grace period; end is why, for the final status.

        Sidecars get theirs when the main containers have ended (`_end_sidecars`).
        """
        self._end = end or self._end
        if grace > 0:
            if not self._stop.is_set():
                for name in self.processes.keys() - self._sidecars.keys():
                    self.processes[name].signal(signal.SIGTERM)
            asyncio.get_running_loop().call_later(grace, self._signal, signal.SIGKILL)
        else:
            self._signal(signal.SIGKILL)
        self._stop.set()

    def kill_for_memory(self, container: str) -> None:
        """End a container that is over its memory limit."""
        self._out_of_memory.add(container)
        self.processes[container].signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        for process in self.processes.values():
            process.signal(number)

    async def run(self) -> None:
        """Run to the end; the last status is published and the volumes are gone when it returns."""
        self._publish("Pending")
        try:
            if await self._run_init():
                policy = self.pod["spec"]["restartPolicy"]
                await asyncio.gather(*(self._keep_running(one, policy) for one in self._main))
        finally:
            await self._end_sidecars()
            self._signal(signal.SIGKILL)
        succeeded = all(one.exit_code == 0 for one in self._main)
        self._publish("Succeeded" if succeeded and not self._end else "Failed")
        await asyncio.to_thread(self.runtime.clear)

    async def _run_init(self) -> bool:
        policy = "Never" if self.pod["spec"]["restartPolicy"] == "Never" else "OnFailure"
        for one in self._init:
            if one.sidecar:
                running = asyncio.create_task(self._keep_running(one, "Always"))
                self._sidecars[one.name] = running
                while not (one.started or self._stop.is_set() or running.done()):
                    await self._pause(_POLL)
                continue
            await self._keep_running(one, policy)
            if one.exit_code != 0:
                return False
        return not self._stop.is_set()

    async def _end_sidecars(self) -> None:
        """Ask one sidecar after another to end, the last first; they share one grace period."""
        self._stop.set()  # none restarts
        grace = self.pod["spec"]["terminationGracePeriodSeconds"]
        timer = asyncio.get_running_loop().call_later(grace, self._signal, signal.SIGKILL)
        for name, running in reversed(self._sidecars.items()):
            if process := self.processes.get(name):
                process.signal(signal.SIGTERM)
            await running
        timer.cancel()

    async def _keep_running(self, one: ContainerStatus, policy: str) -> None:
        while not self._stop.is_set():
            await self._run_once(one)
            if policy == "Never" or (policy == "OnFailure" and one.exit_code == 0):
                return
            await self._back_off(one)

    async def _back_off(self, one: ContainerStatus) -> None:
        """Wait before a restart: not before the first, then 10 s, 20 s, ... up to 5 minutes."""
        wait = self._backoff.get(one.name, 0.0)
        self._backoff[one.name] = min(wait * 2 or self._machine.backoff, _LONGEST_BACKOFF)
        if wait and not self._stop.is_set():
            one.restarting()
            pod = f"{self.pod.name}_{self.pod.namespace}"
            text = f"back-off {wait:g}s restarting failed container={one.name} pod={pod}"
            self._waiting(one, "CrashLoopBackOff", text)
            text = f"Back-off restarting failed container {one.name} in pod {pod}"
            self._event("BackOff", text, warning=True)
            await self._pause(wait)

    async def _run_once(self, one: ContainerStatus) -> None:
        """Run a container once, from its image to its last words."""
        process = await self._start(one)
        if process is None:
            return
        self.processes[one.name] = process
        one.running(f"localkube://{process.pid}")
        self._publish()
        self._event("Started", f"Started container {one.name}")
        began = time.time()
        code = await process.wait()
        del self.processes[one.name]
        reason = "OOMKilled" if one.name in self._out_of_memory else "Completed" if code == 0 else "Error"
        self._out_of_memory.discard(one.name)
        one.terminated(code, reason, self.runtime.last_words(one, code), at(int(began)))
        if time.time() - began > _STABLE:
            self._backoff.pop(one.name, None)
        if not self._stop.is_set():
            self._publish()

    async def _start(self, one: ContainerStatus) -> Process | None:
        """Return the container's process; None when it cannot start, or the pod had to stop before."""
        one.restarting()
        while not self._stop.is_set():
            try:
                process = self.runtime.start(one)
            except NotReady as error:
                self._waiting(one, error.waiting, str(error))
                for reason in error.events:
                    self._event(reason, str(error), warning=True)
                await self._pause(_RETRY)
            except OSError as error:
                text = f"failed to create containerd task: {error}"
                one.terminated(128, "StartError", text, None)
                self._event("Failed", f"Error: {text}", warning=True)
                return None
            else:
                if not one.restarts:
                    told = f'Container image "{one.container["image"]}" already present on machine'
                    self._event("Pulled", told)
                self._event("Created", f"Created container: {one.name}")
                return process
        return None

    async def _pause(self, wait: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._stop.wait()

    def _waiting(self, one: ContainerStatus, reason: str, message: str) -> None:
        one.waiting(reason, message)
        self._publish()

    def _publish(self, phase: str = "") -> None:
        end = self._end if phase in ("Succeeded", "Failed") else None
        phase = phase or ("Running" if any(one.ever_ran for one in self._main) else "Pending")
        status = pod_status(self.pod, phase, self._started, self._init, self._main, end)
        self.pod = self._kubelet.report("pods", self.pod, status)

    def _event(self, reason: str, message: str, warning: bool = False) -> None:
        self._kubelet.tell(self.pod, reason, message, warning)


class SimulatedPod(PodWorker):
    """A pod that only seems to run; one that restarts always runs until it is stopped."""

    async def run(self) -> None:
        began = now()
        beside = [*self._main, *(one for one in self._init if one.sidecar)]
        for one in self._init:
            one.terminated(0, "Completed", "", began)
        for one in beside:
            one.running("simulated://")
        self._publish()
        forever = self.pod["spec"]["restartPolicy"] == "Always"
        await self._pause(None if forever else self._machine.pod_seconds)
        code = 143 if self._stop.is_set() else 0
        if not code and (standing_in := stand_in()):
            code = await standing_in.exit_code(self._machine.directory.name, self.pod)
        for one in beside:
            one.terminated(code, "Error" if code else "Completed", "", began)
        self._publish("Failed" if code else "Succeeded")

"""One pod on a node: its containers run as processes, one after another (init) and then side by side."""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from localkube.environment import ConfigError, command_for, host_name
from localkube.images import Image
from localkube.objects import Obj, at, name_of, namespace_of, now
from localkube.pod_status import ContainerStatus, End, pod_status
from localkube.process import Process
from localkube.volumes import MountError, Volumes, mounts_of

if TYPE_CHECKING:
    from localkube.kubelet import Kubelet

Result = TypeVar("Result")
_MOUNT_RETRY = 2.0
_LONGEST_BACKOFF = 300.0
_LONGEST_MESSAGE = 4096


class PodWorker:
    """Runs one pod until its containers have ended for good or it is told to stop."""

    def __init__(self, kubelet: Kubelet, pod: Obj) -> None:
        self.pod = pod
        self.directory = kubelet.pod_directory(pod)
        self._kubelet = kubelet
        self._memory = kubelet.memory / pod["metadata"]["uid"] if kubelet.memory else None
        self._stop = asyncio.Event()
        self._end: End | None = None
        self._started = (pod.get("status") or {}).get("startTime") or now()
        spec = pod["spec"]
        self._init = [ContainerStatus(one, pod, init=True) for one in spec.get("initContainers") or ()]
        self._main = [ContainerStatus(one, pod) for one in spec["containers"]]
        self._processes: dict[str, Process] = {}
        self._volumes: dict[str, Path] = {}
        self._backoff: dict[str, float] = {}
        self.killed_for_memory: set[str] = set()

    # -- what the node asks of it

    def stop(self, grace: float, end: End | None = None) -> None:
        """SIGTERM now and SIGKILL after the grace period; end is why, for the final status."""
        self._end = end or self._end
        first = not self._stop.is_set()
        self._stop.set()
        for process in self._processes.values():
            if first and grace > 0:
                process.signal(signal.SIGTERM)
        if grace > 0:
            asyncio.get_running_loop().call_later(grace, self.kill)
        else:
            self.kill()

    def kill(self) -> None:
        self._stop.set()
        for process in self._processes.values():
            process.signal(signal.SIGKILL)

    def running(self) -> list[tuple[Obj, Process]]:
        """The containers that run now."""
        return [
            (one.container, self._processes[one.name])
            for one in [*self._init, *self._main]
            if one.name in self._processes
        ]

    def emptied(self) -> list[tuple[Obj, Path]]:
        """The emptyDir volumes that have a size limit, and where they lie."""
        return [
            (volume, self._volumes[volume["name"]])
            for volume in self.pod["spec"].get("volumes") or ()
            if (volume.get("emptyDir") or {}).get("sizeLimit") and volume["name"] in self._volumes
        ]

    # -- running

    async def run(self) -> None:
        """Run to the end; the last status is published and the volumes are gone when it returns."""
        self._publish("Pending")
        deadline = self.pod["spec"].get("activeDeadlineSeconds")
        timer = asyncio.get_running_loop().call_later(deadline, self._too_long) if deadline else None
        try:
            if await self._mount() and await self._run_init():
                await asyncio.gather(*(self._keep_running(one) for one in self._main))
        finally:
            if timer:
                timer.cancel()
            self.kill()
        succeeded = all(one.exit_code == 0 for one in self._main)
        self._publish("Succeeded" if succeeded and not self._end else "Failed")
        await asyncio.to_thread(self._remove_volumes)

    def _too_long(self) -> None:
        self.stop(
            self.pod["spec"]["terminationGracePeriodSeconds"],
            End("DeadlineExceeded", "Pod was active on the node longer than the specified deadline"),
        )

    async def _mount(self) -> bool:
        volumes = Volumes(
            self._kubelet.store, self.directory, self._kubelet.host_directory(self.pod), self._memory
        )

        def attempt() -> bool:
            try:
                self._volumes = volumes.mount(self.pod)
            except (MountError, OSError) as error:
                self._event("FailedMount", str(error), warning=True)
                return False
            return True

        return await self._until(attempt)

    async def _until(self, attempt: Callable[[], bool]) -> bool:
        """Try every two seconds until it works; False when the pod was told to stop before."""
        while not self._stop.is_set():
            if attempt():
                return True
            await self._pause(_MOUNT_RETRY)
        return False

    async def _pause(self, wait: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), wait)

    async def _run_init(self) -> bool:
        for one in self._init:
            while True:
                await self._run_once(one)
                if one.exit_code == 0 and not self._stop.is_set():
                    break
                if self._stop.is_set() or self.pod["spec"]["restartPolicy"] == "Never":
                    return False
                await self._back_off(one)
        return not self._stop.is_set()

    async def _keep_running(self, one: ContainerStatus) -> None:
        policy = self.pod["spec"]["restartPolicy"]
        while not self._stop.is_set():
            await self._run_once(one)
            if self._stop.is_set() or policy == "Never" or (policy == "OnFailure" and one.exit_code == 0):
                return
            await self._back_off(one)

    async def _back_off(self, one: ContainerStatus) -> None:
        """The first restart is at once; later ones wait 10 s, 20 s, ... up to 5 minutes."""
        base = self._kubelet.backoff
        wait = self._backoff.get(one.name, 0.0)
        self._backoff[one.name] = min(wait * 2 or base, _LONGEST_BACKOFF)
        if wait and not self._stop.is_set():
            one.restarting()
            one.waiting(
                "CrashLoopBackOff",
                f"back-off {wait:g}s restarting failed container={one.name} "
                f"pod={name_of(self.pod)}_{namespace_of(self.pod)}",
            )
            self._publish()
            self._event(
                "BackOff",
                f"Back-off restarting failed container {one.name} in pod {name_of(self.pod)}",
                warning=True,
            )
            await self._pause(wait)

    async def _run_once(self, one: ContainerStatus) -> None:
        image = await self._pull(one)
        if image is None:
            return
        one.restarting()
        scratch = self.directory / one.name
        await asyncio.to_thread(scratch.mkdir, parents=True, exist_ok=True)
        message = scratch / f"termination-{one.restarts}"
        process = await self._start(one, image, scratch, message)
        if process is None:
            return
        self._processes[one.name] = process
        one.running(f"localkube://{process.pid}")
        self._publish()
        self._event("Started", f"Started container {one.name}")
        began = time.time()
        if self._stop.is_set():
            process.signal(signal.SIGTERM)
        code = await process.wait()
        del self._processes[one.name]
        out_of_memory = one.name in self.killed_for_memory
        self.killed_for_memory.discard(one.name)
        reason = "OOMKilled" if out_of_memory else "Completed" if code == 0 else "Error"
        one.terminated(code, reason, self._last_words(one, code, message), at(began))
        if time.time() - began > 600:
            self._backoff.pop(one.name, None)
        if not self._stop.is_set():
            self._publish()

    async def _start(
        self, one: ContainerStatus, image: Image, scratch: Path, message: Path
    ) -> Process | None:
        mounts = mounts_of(one.container, self._volumes) | {one.container["terminationMessagePath"]: message}
        base = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            "HOSTNAME": host_name(self.pod),
            "TERMINATION_MESSAGE_PATH": str(message),
            **self._kubelet.service_env,
        }
        failed: list[str] = []

        def attempt() -> bool:
            try:
                command = command_for(
                    self.pod, one.container, image, mounts, base, scratch, self._kubelet.store
                )
            except ConfigError as error:
                one.waiting("CreateContainerConfigError", str(error))
                self._publish()
                self._event("Failed", f"Error: {error}", warning=True)
                return False
            except OSError as error:
                failed.append(f"failed to create containerd task: {error}")
                return True
            found = shutil.which(command.argv[0], path=command.env["PATH"]) if command.argv else None
            if found is None:
                failed.append(
                    f'exec: "{command.argv[0]}": executable file not found in $PATH'
                    if command.argv
                    else "no command specified"
                )
                return True
            try:
                started.append(
                    self._kubelet.reaper.start(
                        [found, *command.argv[1:]], command.env, command.cwd, scratch / f"{one.restarts}.log"
                    )
                )
            except OSError as error:
                failed.append(str(error))
            return True

        started: list[Process] = []
        if not await self._until(attempt):
            return None
        if failed:
            text = f"failed to create containerd task: {failed[0]}"
            one.terminated(128, "StartError", text, None)
            self._publish()
            self._event("Failed", f"Error: {text}", warning=True)
            return None
        self._event("Created", f"Created container: {one.name}")
        return started[0]

    async def _pull(self, one: ContainerStatus) -> Image | None:
        """The image, as soon as there is one; None when the pod was told to stop before."""
        name, wait = one.container["image"], self._kubelet.backoff
        while not self._stop.is_set():
            image = self._kubelet.images.get(name)
            if image is not None:
                if not one.restarts:
                    self._event("Pulled", f'Container image "{name}" already present on machine')
                return image
            text = f'failed to pull image "{name}": not found; add it to the images file of localkube'
            one.waiting("ErrImagePull", text)
            self._publish()
            self._event("Failed", f'Failed to pull image "{name}": {text}', warning=True)
            await self._pause(min(wait, 2.0))
            one.waiting("ImagePullBackOff", f'Back-off pulling image "{name}"')
            self._publish()
            self._event("BackOff", f'Back-off pulling image "{name}"')
            await self._pause(wait)
            wait = min(wait * 2, _LONGEST_BACKOFF)
        return None

    def _last_words(self, one: ContainerStatus, code: int, path: Path) -> str:
        """The termination message: what the container wrote, or the end of its log if the policy says so."""
        try:
            text = path.read_bytes()[:_LONGEST_MESSAGE].decode(errors="replace")
            if not text and code and one.container["terminationMessagePolicy"] == "FallbackToLogsOnError":
                with (self.directory / one.name / f"{one.restarts}.log").open("rb") as log:
                    log.seek(max(log.seek(0, 2) - 2048, 0))
                    text = "\n".join(log.read().decode(errors="replace").splitlines()[-80:])
        except FileNotFoundError:
            if not path.exists():
                path.touch()
                return self._last_words(one, code, path)
            text = ""
        return text

    def _publish(self, phase: str | None = None) -> None:
        ended = phase in ("Succeeded", "Failed")
        phase = phase or ("Running" if any(one.ever_ran for one in self._main) else "Pending")
        self.pod = self._kubelet.publish(
            self.pod,
            pod_status(self.pod, phase, self._started, self._init, self._main, self._end if ended else None),
        )

    def _event(self, reason: str, message: str, warning: bool = False) -> None:
        self._kubelet.event(self.pod, reason, message, warning)

    def _remove_volumes(self) -> None:
        shutil.rmtree(self.directory / "volumes", ignore_errors=True)
        if self._memory:
            shutil.rmtree(self._memory, ignore_errors=True)

"""The containers of one pod on this machine: how they start, where they live, what they leave.

There is no chroot. Wherever a path in the pod's command, environment or working directory begins with a
mountPath, it is replaced by the directory of this machine behind the volume.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from localkube.node.environment import Mounts, expand, variables_of
from localkube.node.images import Images
from localkube.node.pod_status import ContainerStatus
from localkube.node.process import Process, Reaper
from localkube.node.volumes import mount, mounts_of
from localkube.objects.object import Obj
from localkube.objects.store import Store

_LONGEST_MESSAGE = 4096
_LONGEST_FALLBACK = (2048, 80)  # bytes and lines of a log that replace a message


@dataclass(frozen=True)
class Machine:
    """What the nodes of a cluster, or of all clusters of a server, share of this machine."""

    directory: Path
    images: Images
    reaper: Reaper
    port: int
    authority: str
    backoff: float
    pod_seconds: float | None = None  # for which the pods of simulated nodes run

    def pod_directory(self, pod: Obj) -> Path:
        """Return the directory of a pod's logs, and of its volumes while it runs."""
        return self.directory / "pods" / pod.uid


class Runtime:
    """Starts the containers of one pod; directories it makes are below the pod's own."""

    def __init__(self, machine: Machine, store: Store, pod: Obj) -> None:
        self._machine, self._store, self._pod = machine, store, pod
        self._directory = machine.pod_directory(pod)
        self.volumes: dict[str, Path] = {}

    def start(self, one: ContainerStatus) -> Process:
        """Start a container; raise NotReady for what may still come and OSError for what cannot work.

        What comes with the image is meant for this machine already, wherever the pod mounts its volumes.
        """
        if not self.volumes:
            self.volumes = mount(self._store, self._pod, self._directory / "volumes")
        image = self._machine.images.get(one.container["image"], one.container["imagePullPolicy"])
        scratch, message = self._directory / "scratch" / one.name, self._file(one, "message")
        for directory in (scratch, message.parent):
            directory.mkdir(parents=True, exist_ok=True)
        message.touch()
        mounts = mounts_of(one.container, self.volumes) | {one.container["terminationMessagePath"]: message}
        translate, variables = Mounts(mounts).translate, variables_of(self._pod, one.container, self._store)
        command, arguments = (
            [translate(expand(part, variables)) for part in one.container.get(field) or ()]
            for field in ("command", "args")
        )
        argv = command + arguments if command else [*image.Entrypoint, *(arguments or image.Cmd)]
        host_name = str(self._pod["spec"].get("hostname") or self._pod.name)
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOSTNAME": host_name[:63].rstrip("-.")}
        env |= {"HOME": str(scratch), "TMPDIR": str(scratch), "TERMINATION_MESSAGE_PATH": str(message)}
        env |= {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self._machine.port)}
        env |= dict(line.partition("=")[::2] for line in image.Env)
        env |= {name: translate(value) for name, value in variables.items()}
        if not argv:
            raise FileNotFoundError("no command specified")
        found = shutil.which(argv[0], path=env["PATH"])
        if found is None:
            raise FileNotFoundError(f'exec: "{argv[0]}": executable file not found in $PATH')
        own = one.container.get("workingDir")
        cwd = self._working_dir(own or image.WorkingDir, translate(own) if own else image.WorkingDir, scratch)
        return self._machine.reaper.start([found, *argv[1:]], env, cwd, self._file(one, "log"))

    def _working_dir(self, wanted: str, place: str, scratch: Path) -> Path:
        """Create a directory in a volume; one of the image, which is not unpacked here, must exist."""
        path = Path(place)
        if wanted in ("", "/") or (place == wanted and not path.is_dir()):
            return scratch
        path.mkdir(parents=True, exist_ok=True)
        return path

    def last_words(self, one: ContainerStatus, code: int) -> str:
        """Return the termination message: the container's, or the end of its log if the policy says so."""
        text = self._file(one, "message").read_bytes()[:_LONGEST_MESSAGE]
        if not text and code and one.container["terminationMessagePolicy"] == "FallbackToLogsOnError":
            size, lines = _LONGEST_FALLBACK
            with self._file(one, "log").open("rb") as log:
                log.seek(max(log.seek(0, 2) - size, 0))
                text = b"\n".join(log.read().splitlines()[-lines:])
        return text.decode(errors="replace")

    def clear(self) -> None:
        """Remove volumes and scratch space; keep the logs as long as the pod is known."""
        for name in ("volumes", "scratch"):
            shutil.rmtree(self._directory / name, ignore_errors=True)

    def _file(self, one: ContainerStatus, kind: str) -> Path:
        return self._directory / one.name / f"{one.restarts}.{kind}"

"""The containers of one pod on this machine: what they are started with, where they live, what they leave.

There is no chroot. Wherever a path in what the pod says of its command, environment or working directory
begins with a mountPath, the directory of this machine that backs the volume is put instead; the longest
mountPath wins.
"""

import math
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localkube.images import Image, Images
from localkube.objects import Obj, containers_of, lookup, name_of, namespace_of, quantity
from localkube.pod_status import ContainerStatus
from localkube.process import Process, Reaper
from localkube.simulation import Simulation
from localkube.store import Store
from localkube.volumes import Volumes, contents_of, mounts_of

_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.-][\w.-]*)\)")
_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")
_FIELDS = (
    *("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName"),
    *("status.hostIP", "status.podIP"),
)


class ConfigError(Exception):
    """The container cannot be created yet; the message says what is missing."""


class Mounts:
    """Translates paths of the container to paths of this machine."""

    def __init__(self, mounts: Mapping[str, Path]) -> None:
        self._mounts = {path.rstrip("/"): str(host) for path, host in mounts.items() if path.rstrip("/")}
        longest_first = sorted(self._mounts, key=len, reverse=True)
        alternatives = "|".join(re.escape(path) for path in longest_first) or "(?!)"
        self._pattern = re.compile(rf"(?:(?<=file://)|(?<![\w./-]))(?:{alternatives})(?=/|$|[^\w.-])")

    def translate(self, text: str) -> str:
        return self._pattern.sub(lambda found: self._mounts[found[0]], text)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """$(NAME) becomes the variable's value where it is known, $$ becomes $."""
    return _REFERENCE.sub(lambda found: "$" if found[1] is None else variables.get(found[1], found[0]), text)


def variables_of(pod: Obj, container: Obj, store: Store) -> dict[str, str]:
    """The environment variables that the pod's spec asks for. Raises ConfigError."""
    variables: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        for kind, resource in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
            if kind in source:
                data = _data(pod, resource, source[kind], store)
                variables |= {source.get("prefix", "") + key: value for key, value in data.items()}
    for variable in container.get("env") or ():
        value: str | None = expand(variable.get("value", ""), variables)
        if "valueFrom" in variable:
            value = _value_from(pod, container, variable["valueFrom"], store)
        if value is not None:
            variables[variable["name"]] = value
    return variables


def _data(pod: Obj, resource: str, wanted: Obj, store: Store) -> dict[str, str]:
    found = store.get(resource, namespace_of(pod), wanted.get("name", ""))
    if found is None and not wanted.get("optional"):
        raise ConfigError(f'{resource[:-1]} "{wanted.get("name", "")}" not found')
    text_only = {**(found or {}), "binaryData": None}  # which never becomes a variable
    return {key: value.decode(errors="replace") for key, value in contents_of(text_only).items()}


def _value_from(pod: Obj, container: Obj, source: Obj, store: Store) -> str | None:
    if "fieldRef" in source:
        return _field(pod, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        return _resource(pod, container, source["resourceFieldRef"], store)
    for kind, resource in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
        if kind in source:
            wanted = source[kind]
            data = _data(pod, resource, wanted, store)
            if wanted["key"] not in data and not wanted.get("optional"):
                where = f"{resource[:-1]} {namespace_of(pod)}/{wanted.get('name', '')}"
                raise ConfigError(f"couldn't find key {wanted['key']} in {where}")
            return data.get(wanted["key"])
    raise ConfigError(f"env source {', '.join(source)} is not known to localkube")


def _field(pod: Obj, path: str) -> str:
    if found := _KEYED.fullmatch(path):
        return str((pod["metadata"].get(found[1]) or {}).get(found[2], ""))
    if path not in _FIELDS:
        raise ConfigError(f'unsupported fieldPath: "{path}"')
    return str(lookup(pod, path) or "")


def _resource(pod: Obj, container: Obj, wanted: Obj, store: Store) -> str:
    spec = pod["spec"]
    named = {one["name"]: one for one in containers_of(spec)}
    about = named.get(wanted.get("containerName", ""), container)
    kind, _, name = wanted["resource"].partition(".")
    if kind not in ("limits", "requests") or not name:
        raise ConfigError(f'unsupported container resource: "{wanted["resource"]}"')
    amount = (about["resources"].get(kind) or {}).get(name)
    if amount is None and kind == "limits":
        amount = lookup(store.get("nodes", "", spec["nodeName"]), f"status.allocatable.{name}")
    divisor = quantity(wanted.get("divisor") or "1") or 1.0
    return str(math.ceil(quantity(amount or 0) / divisor - 1e-9))


def host_name(pod: Obj) -> str:
    """The pod's host name: the one asked for, or the pod's own."""
    return str(pod["spec"].get("hostname") or name_of(pod))[:63].rstrip("-.")


_LONGEST_MESSAGE = 4096
_LONGEST_FALLBACK = (2048, 80)  # bytes and lines of a log that stand in for a message


@dataclass(frozen=True)
class Machine:
    """What all nodes of a cluster share of this machine."""

    directory: Path
    memory: Path | None
    images: Images
    reaper: Reaper
    service_env: dict[str, str]
    backoff: float
    simulation: Simulation | None

    def pod_directory(self, pod: Obj) -> Path:
        """Where the logs of a pod are, and its volumes while it runs."""
        return self.directory / "pods" / str(pod["metadata"]["uid"])


class Runtime:
    """Starts the containers of one pod; directories it makes are below the pod's own."""

    def __init__(self, machine: Machine, store: Store, pod: Obj) -> None:
        self._machine, self._store, self._pod = machine, store, pod
        self._directory = machine.pod_directory(pod)
        self._memory = machine.memory / str(pod["metadata"]["uid"]) if machine.memory else None
        self.volumes: dict[str, Path] = {}

    def mount(self) -> None:
        """Set up the volumes. Raises MountError and OSError."""
        node = self._machine.directory / "nodes" / str(self._pod["spec"]["nodeName"])
        self.volumes = Volumes(self._store, self._directory, node, self._memory).mount(self._pod)

    def start(self, one: ContainerStatus, image: Image) -> Process:
        """Start a container. Raises ConfigError for what may still come and OSError for what cannot work.

        What the image brings is meant for this machine already, wherever the pod mounts its volumes.
        """
        scratch, message = self._directory / "scratch" / one.name, self._file(one, "message")
        for directory in (scratch, message.parent):
            directory.mkdir(parents=True, exist_ok=True)
        message.touch()
        mounts = mounts_of(one.container, self.volumes) | {one.container["terminationMessagePath"]: message}
        variables = variables_of(self._pod, one.container, self._store)
        translate = Mounts(mounts).translate
        command, arguments = (
            [translate(expand(part, variables)) for part in one.container.get(field) or ()]
            for field in ("command", "args")
        )
        argv = command + arguments if command else [*image.Entrypoint, *(arguments or image.Cmd)]
        env = self._base_environment(scratch, message) | dict(line.partition("=")[::2] for line in image.Env)
        env |= {name: translate(value) for name, value in variables.items()}
        if not argv:
            raise FileNotFoundError("no command specified")
        found = shutil.which(argv[0], path=env["PATH"])
        if found is None:
            raise FileNotFoundError(f'exec: "{argv[0]}": executable file not found in $PATH')
        own = one.container.get("workingDir")
        wanted = own or image.WorkingDir
        cwd = self._working_dir(wanted, Path(translate(own) if own else wanted), scratch)
        return self._machine.reaper.start([found, *argv[1:]], env, cwd, self._file(one, "log"))

    def _base_environment(self, scratch: Path, message: Path) -> dict[str, str]:
        own = {"HOME": scratch, "TMPDIR": scratch, "TERMINATION_MESSAGE_PATH": message}
        named = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOSTNAME": host_name(self._pod)}
        return named | {name: str(path) for name, path in own.items()} | self._machine.service_env

    def _working_dir(self, wanted: str, path: Path, scratch: Path) -> Path:
        """A directory in a volume is made; one of the image, which is not unpacked here, must be there."""
        if wanted in ("", "/") or (str(path) == wanted and not path.is_dir()):
            return scratch
        path.mkdir(parents=True, exist_ok=True)
        return path

    def last_words(self, one: ContainerStatus, code: int) -> str:
        """The termination message: what the container wrote, or the end of its log if the policy says so."""
        with self._file(one, "message").open("rb") as message:
            text = message.read(_LONGEST_MESSAGE)
        if not text and code and one.container["terminationMessagePolicy"] == "FallbackToLogsOnError":
            size, lines = _LONGEST_FALLBACK
            with self._file(one, "log").open("rb") as log:
                log.seek(max(log.seek(0, 2) - size, 0))
                text = b"\n".join(log.read().splitlines()[-lines:])
        return text.decode(errors="replace")

    def clear(self) -> None:
        """Remove volumes and scratch space; the logs stay as long as the pod is known."""
        for path in (self._directory / "volumes", self._directory / "scratch", self._memory):
            if path is not None:
                shutil.rmtree(path, ignore_errors=True)

    def _file(self, one: ContainerStatus, kind: str) -> Path:
        return self._directory / one.name / f"{one.restarts}.{kind}"

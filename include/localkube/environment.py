"""What a container's process is started with: environment, command line and working directory.

There is no chroot. Wherever a path in what the pod says of these begins with a mountPath, the directory of
this machine that backs the volume is put instead; the longest mountPath wins.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localkube.images import Image
from localkube.objects import Obj, lookup, name_of, namespace_of, quantity
from localkube.store import Store

_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.-][\w.-]*)\)")
_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")


class ConfigError(Exception):
    """The container cannot be created yet; the message says what is missing."""


@dataclass(frozen=True)
class Command:
    """A command line, its environment and the directory it starts in."""

    argv: list[str]
    env: dict[str, str]
    cwd: Path


class Mounts:
    """Translates paths of the container to paths of this machine."""

    def __init__(self, mounts: Mapping[str, Path]) -> None:
        self._mounts = {path.rstrip("/") or "/": str(host) for path, host in mounts.items()}
        longest_first = sorted(self._mounts, key=len, reverse=True)
        alternatives = "|".join(re.escape(path) for path in longest_first if path != "/")
        self._pattern = (
            re.compile(rf"(?:(?<=file://)|(?<![\w./-]))(?:{alternatives})(?=/|$|[^\w.-])")
            if alternatives
            else None
        )

    def translate(self, text: str) -> str:
        return self._pattern.sub(lambda found: self._mounts[found[0]], text) if self._pattern else text


def command_for(
    pod: Obj,
    container: Obj,
    image: Image,
    mounts: Mapping[str, Path],
    base: Mapping[str, str],
    scratch: Path,
    store: Store,
) -> Command:
    """The command of a container; base is set before the image's own variables. Raises ConfigError."""
    variables = _variables(pod, container, store)
    translate = Mounts(mounts).translate
    given = {
        field: [translate(_expand(part, variables)) for part in container.get(field) or ()]
        for field in ("command", "args")
    }
    # What the image brings is meant for this machine already, wherever the pod mounts its volumes.
    argv = given["command"] + given["args"]
    if not given["command"]:
        argv = [*image.entrypoint, *(given["args"] or image.command)]
    env = {**base, **image.environment, **{name: translate(value) for name, value in variables.items()}}
    working_dir = container.get("workingDir") or image.working_dir
    cwd = Path(translate(working_dir)) if working_dir not in ("", "/") else scratch
    if str(cwd) == working_dir and not cwd.is_dir():
        cwd = scratch  # a directory of the image, which is not unpacked here
    cwd.mkdir(parents=True, exist_ok=True)
    return Command(argv, env, cwd)


def _expand(text: str, variables: Mapping[str, str]) -> str:
    """$(NAME) becomes the variable's value where it is known, $$ becomes $."""
    return _REFERENCE.sub(lambda found: "$" if found[1] is None else variables.get(found[1], found[0]), text)


def _variables(pod: Obj, container: Obj, store: Store) -> dict[str, str]:
    variables: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        for kind, resource in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
            if kind in source:
                data = _data(pod, resource, source[kind], store)
                variables |= {source.get("prefix", "") + key: value for key, value in data.items()}
    for variable in container.get("env") or ():
        if "valueFrom" in variable:
            value = _value_from(pod, container, variable["valueFrom"], store)
        else:
            value = _expand(str(variable.get("value") or ""), variables)
        if value is not None:
            variables[variable["name"]] = value
    return variables


def _data(pod: Obj, resource: str, reference: Obj, store: Store) -> dict[str, str]:
    found = store.get(resource, namespace_of(pod), reference.get("name", ""))
    if found is None:
        if reference.get("optional"):
            return {}
        raise ConfigError(f'{resource[:-1]} "{reference.get("name", "")}" not found')
    data = found.get("data") or {}
    return (
        data
        if resource == "configmaps"
        else {key: base64.b64decode(text).decode() for key, text in data.items()}
    )


def _value_from(pod: Obj, container: Obj, source: Obj, store: Store) -> str | None:
    if "fieldRef" in source:
        return field(pod, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        return _resource(pod, container, source["resourceFieldRef"], store)
    for kind, resource in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
        if kind in source:
            reference = source[kind]
            data = _data(pod, resource, reference, store)
            if reference["key"] not in data and not reference.get("optional"):
                raise ConfigError(
                    f"couldn't find key {reference['key']} in {resource[:-1]} "
                    f"{namespace_of(pod)}/{reference['name']}"
                )
            return data.get(reference["key"])
    raise ConfigError(f"env source {', '.join(source)} is not known to localkube")


def field(pod: Obj, path: str) -> str:
    """The value of a fieldRef."""
    if found := _KEYED.fullmatch(path):
        return str((pod["metadata"].get(found[1]) or {}).get(found[2], ""))
    if path not in (
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.podIP",
    ):
        raise ConfigError(f'unsupported fieldPath: "{path}"')
    return str(lookup(pod, path) or "")


def _resource(pod: Obj, container: Obj, reference: Obj, store: Store) -> str:
    spec = pod["spec"]
    containers = {one["name"]: one for one in [*(spec.get("initContainers") or ()), *spec["containers"]]}
    about = containers.get(reference.get("containerName", ""), container)
    kind, _, name = reference["resource"].partition(".")
    if kind not in ("limits", "requests") or not name:
        raise ConfigError(f'unsupported container resource: "{reference["resource"]}"')
    amount = ((about.get("resources") or {}).get(kind) or {}).get(name)
    if amount is None and kind == "limits":
        amount = lookup(store.get("nodes", "", spec["nodeName"]), f"status.allocatable.{name}")
    divisor = quantity(reference.get("divisor") or "1") or 1.0
    return str(math.ceil(quantity(amount or 0) / divisor - 1e-9))


def host_name(pod: Obj) -> str:
    """The pod's host name: the one asked for, or the pod's own."""
    return str(pod["spec"].get("hostname") or name_of(pod))[:63].rstrip("-.")

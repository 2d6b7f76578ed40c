"""What a container's process is started with: environment, command line and working directory.

There is no chroot. Wherever a path in what the pod says of these begins with a mountPath, the directory of
this machine that backs the volume is put instead; the longest mountPath wins.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path

from localkube.objects import Obj, containers_of, lookup, name_of, namespace_of, quantity
from localkube.store import Store
from localkube.volumes import contents_of

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
    return {key: value.decode(errors="replace") for key, value in contents_of(found or {}).items()}


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

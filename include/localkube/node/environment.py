"""A container's environment variables, and this machine's paths for those that it knows."""

import re
from collections.abc import Mapping
from pathlib import Path

from localkube.node.pod_status import ADDRESS
from localkube.node.volumes import NotReady, source_of
from localkube.objects.object import Json, Obj, contents_of
from localkube.objects.rules import KEYED
from localkube.objects.store import Store

_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.-][\w.-]*)\)")


class Mounts:
    """Translates paths of the container to paths of this machine; the longest mountPath wins."""

    def __init__(self, mounts: Mapping[str, Path]) -> None:
        self._mounts = {path.rstrip("/"): str(host) for path, host in mounts.items() if path.rstrip("/")}
        longest_first = sorted(self._mounts, key=len, reverse=True)
        alternatives = "|".join(re.escape(path) for path in longest_first) or "(?!)"
        self._pattern = re.compile(rf"(?:(?<=file://)|(?<![\w./-]))(?:{alternatives})(?=/|$|[^\w.-])")

    def translate(self, text: str) -> str:
        return self._pattern.sub(lambda found: self._mounts[found[0]], text)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace $(NAME) by the variable's value where it is known, and $$ by $."""
    return _REFERENCE.sub(lambda found: "$" if found[1] is None else variables.get(found[1], found[0]), text)


def variables_of(pod: Obj, container: Json, store: Store) -> dict[str, str]:
    """Return the environment variables that the pod's spec asks for; raise NotReady."""
    variables: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        prefix = source.get("prefix", "")
        for kind, resource in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
            if kind in source:
                texts = _texts(pod, resource, source[kind], store)
                variables |= {prefix + key: text for key, text in texts.items()}
    for variable in container.get("env") or ():
        value: str | None = expand(variable.get("value", ""), variables)
        if "valueFrom" in variable:
            value = _value_from(pod, variable["valueFrom"], store)
        if value is not None:
            variables[variable["name"]] = value
    return variables


def _texts(pod: Obj, resource: str, wanted: Json, store: Store) -> dict[str, str]:
    """Return the content of a ConfigMap or Secret without binaryData, which never becomes a variable."""
    found = source_of(store, pod.namespace, resource, wanted)
    contents = contents_of({**found, "binaryData": {}})
    return {key: value.decode(errors="replace") for key, value in contents.items()}


def _value_from(pod: Obj, source: Json, store: Store) -> str | None:
    if "fieldRef" in source:
        return _field(pod, source["fieldRef"]["fieldPath"])
    for kind, resource in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
        if kind in source:
            key, wanted = source[kind]["key"], source[kind]
            texts = _texts(pod, resource, wanted, store)
            if key not in texts and not wanted.get("optional"):
                where = f"{resource[:-1]} {pod.namespace}/{wanted.get('name', '')}"
                raise NotReady(f"couldn't find key {key} in {where}")
            return texts.get(key)
    raise NotReady(f"env source {', '.join(source)} is not known to localkube")


def _field(pod: Obj, path: str) -> str:
    if found := KEYED.fullmatch(path):
        return str((pod["metadata"].get(found[1]) or {}).get(found[2], ""))
    return ADDRESS if path.startswith("status.") else str(pod.at(path) or "")

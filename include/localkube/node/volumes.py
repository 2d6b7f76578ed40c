"""The volumes of a pod as directories of this machine."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from localkube.objects.object import Json, Obj, contents_of
from localkube.objects.store import Store


class NotReady(Exception):
    """Something that a pod needs does not exist yet; the message says what.

    It also has the reason for which the container waits, and that of the events about it.
    """

    def __init__(self, message: str, waiting: str = "CreateContainerConfigError", *events: str) -> None:
        super().__init__(message)
        self.waiting, self.events = waiting, events or ("Failed",)


def source_of(store: Store, namespace: str, resource: str, wanted: Json) -> Json:
    """Return the ConfigMap or Secret that a pod refers to; empty where optional; raise NotReady."""
    name = wanted.get("name") or wanted.get("secretName") or ""
    found = store.get(resource, namespace, name)
    if found is None and not wanted.get("optional"):
        raise NotReady(f'{resource[:-1]} "{name}" not found')
    return found or {}


def mount(store: Store, pod: Obj, own: Path) -> dict[str, Path]:
    """Return the directory of each volume by name, below the pod's own; raise NotReady."""
    mounted = {}
    for volume in pod["spec"].get("volumes") or ():
        try:
            mounted[volume["name"]] = _volume(store, pod.namespace, volume, own / volume["name"])
        except (NotReady, OSError) as error:
            where = f'MountVolume.SetUp failed for volume "{volume["name"]}"'
            raise NotReady(f"{where} : {error}", "ContainerCreating", "FailedMount") from None
    return mounted


def _volume(store: Store, namespace: str, volume: Json, path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    for kind, resource in (("configMap", "configmaps"), ("secret", "secrets")):
        if wanted := volume.get(kind):
            for key, content in contents_of(source_of(store, namespace, resource, wanted)).items():
                (path / key).unlink(missing_ok=True)
                (path / key).write_bytes(content)
                (path / key).chmod(wanted["defaultMode"])
    return path


def mounts_of(container: Json, volumes: Mapping[str, Path]) -> dict[str, Path]:
    """Map each mountPath to this machine's directory."""
    return {mount["mountPath"]: volumes[mount["name"]] for mount in container.get("volumeMounts") or ()}


def used(path: Path) -> int:
    """Return the bytes below a directory."""
    total = 0
    for directory, _, files in os.walk(path):
        for name in files:
            with suppress(OSError):  # removed meanwhile
                total += os.lstat(os.path.join(directory, name)).st_blocks * 512
    return total

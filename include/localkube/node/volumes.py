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


def mount(store: Store, pod: Obj, own: Path, node: Path) -> dict[str, Path]:
    """Return the directory of each volume by name, below the pod's own or the node's; raise NotReady."""
    mounted = {}
    for volume in pod["spec"].get("volumes") or ():
        try:
            if "hostPath" in volume:
                mounted[volume["name"]] = _host_path(volume["hostPath"], node)
            else:
                mounted[volume["name"]] = _volume(store, pod.namespace, volume, own / volume["name"])
        except (NotReady, OSError) as error:
            where = f'MountVolume.SetUp failed for volume "{volume["name"]}"'
            raise NotReady(f"{where} : {error}", "ContainerCreating", "FailedMount") from None
    return mounted


def _volume(store: Store, namespace: str, volume: Json, path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    for kind, resource in (("configMap", "configmaps"), ("secret", "secrets")):
        if wanted := volume.get(kind):
            _write(wanted, contents_of(source_of(store, namespace, resource, wanted)), path)
    return path


def _host_path(wanted: Json, node: Path) -> Path:
    path = node / str(wanted["path"]).lstrip("/")
    if not path.resolve().is_relative_to(node.resolve()):
        raise NotReady(f"{wanted['path']} leaves the node")
    if wanted.get("type") != "Directory":
        path.mkdir(parents=True, exist_ok=True)
    elif not path.is_dir():
        raise NotReady(f"hostPath type check failed: {wanted['path']} is not a directory")
    return path


def _write(source: Json, data: dict[str, bytes], path: Path) -> None:
    for item in source.get("items") or [{"key": key, "path": key} for key in data]:
        target = path / item["path"]
        if not target.resolve().is_relative_to(path.resolve()):
            raise NotReady(f"path {item['path']} leaves the volume")
        if item["key"] in data:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.write_bytes(data[item["key"]])
            target.chmod(item.get("mode") or source.get("defaultMode") or 0o644)
        elif not source.get("optional"):
            raise NotReady(f"references non-existent config key: {item['key']}")


def mounts_of(container: Json, volumes: Mapping[str, Path]) -> dict[str, Path]:
    """Map each mountPath to this machine's directory or file; create a missing subPath as a directory."""
    mounts = {}
    for mount in container.get("volumeMounts") or ():
        path = mounts[mount["mountPath"]] = volumes[mount["name"]] / mount.get("subPath", "")
        if not path.exists():
            path.mkdir(parents=True)
    return mounts


def used(path: Path) -> int:
    """Return the bytes below a directory."""
    total = 0
    for directory, _, files in os.walk(path):
        for name in files:
            with suppress(OSError):  # removed meanwhile
                total += os.lstat(os.path.join(directory, name)).st_blocks * 512
    return total

"""The volumes of a pod as directories of this machine."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path

from localkube.objects import Obj, namespace_of
from localkube.store import Store

_SHARED_MEMORY = Path("/dev/shm")


class MountError(Exception):
    """A volume cannot be set up yet; the message says why."""


def memory_root(state: Path) -> Path | None:
    """Where the memory-backed volumes of a server lie, if the system has such a place."""
    if not os.access(_SHARED_MEMORY, os.W_OK):
        return None
    return _SHARED_MEMORY / f"localkube-{os.getuid()}-{state.stat().st_ino}"


class Volumes:
    """Sets up volumes below a directory for each pod; hostPath volumes lie below one for each node."""

    def __init__(self, store: Store, directory: Path, node_directory: Path, memory: Path | None) -> None:
        self._store, self._directory, self._node, self._memory = store, directory, node_directory, memory

    def mount(self, pod: Obj) -> dict[str, Path]:
        """The directory of each volume by name. Raises MountError."""
        return {volume["name"]: self._volume(pod, volume) for volume in pod["spec"].get("volumes") or ()}

    def _volume(self, pod: Obj, volume: Obj) -> Path:
        path = self._directory / "volumes" / str(volume["name"])
        if "hostPath" in volume:
            return self._host_path(volume)
        if (
            "emptyDir" in volume
            and (volume["emptyDir"] or {}).get("medium") == "Memory"
            and self._memory is not None
        ):
            path = self._memory / volume["name"]
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for kind, resource, name in (
            ("configMap", "configmaps", "name"),
            ("secret", "secrets", "secretName"),
        ):
            if kind in volume:
                self._files(pod, volume["name"], volume[kind], resource, volume[kind].get(name, ""), path)
        return path

    def _files(self, pod: Obj, volume: str, source: Obj, resource: str, name: str, path: Path) -> None:
        found = self._store.get(resource, namespace_of(pod), name)
        if found is None:
            if source.get("optional"):
                return
            raise MountError(
                f'MountVolume.SetUp failed for volume "{volume}" : {resource[:-1]} "{name}" not found'
            )
        contents = {key: base64.b64decode(text) for key, text in (found.get("binaryData") or {}).items()}
        for key, text in (found.get("data") or {}).items():
            contents[key] = text.encode() if resource == "configmaps" else base64.b64decode(text)
        items = source.get("items") or [{"key": key, "path": key} for key in contents]
        for item in items:
            if item["key"] not in contents:
                if source.get("optional"):
                    continue
                raise MountError(
                    f'MountVolume.SetUp failed for volume "{volume}" : references non-existent config key: '
                    f"{item['key']}"
                )
            target = path / item["path"]
            if not target.resolve().is_relative_to(path.resolve()):
                raise MountError(
                    f'MountVolume.SetUp failed for volume "{volume}" : path {item["path"]} leaves the volume'
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.write_bytes(contents[item["key"]])
            target.chmod(item.get("mode") or source.get("defaultMode") or 0o644)

    def _host_path(self, volume: Obj) -> Path:
        wanted, kind = volume["hostPath"]["path"], volume["hostPath"].get("type") or ""
        path = self._node / str(wanted).lstrip("/")
        if not path.resolve().is_relative_to(self._node.resolve()):
            raise MountError(
                f'MountVolume.SetUp failed for volume "{volume["name"]}" : {wanted} leaves the node'
            )
        if kind in ("", "DirectoryOrCreate"):
            path.mkdir(parents=True, exist_ok=True)
        elif kind == "FileOrCreate":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        elif not (path.is_dir() if kind == "Directory" else path.is_file() if kind == "File" else False):
            raise MountError(
                f'MountVolume.SetUp failed for volume "{volume["name"]}" : hostPath type check failed: '
                f"{wanted} is not a {kind}"
            )
        return path


def mounts_of(container: Obj, volumes: Mapping[str, Path]) -> dict[str, Path]:
    """mountPath -> the directory or file of this machine behind it; a missing subPath becomes a directory."""
    mounts = {}
    for mount in container.get("volumeMounts") or ():
        path = volumes[mount["name"]] / mount.get("subPath", "")
        if not path.exists():
            path.mkdir(parents=True)
        mounts[mount["mountPath"]] = path
    return mounts


def used(path: Path) -> int:
    """Bytes below a directory."""
    total = 0
    for directory, _, files in os.walk(path):
        for name in files:
            try:
                total += os.lstat(os.path.join(directory, name)).st_blocks * 512
            except OSError:
                continue  # removed meanwhile
    return total

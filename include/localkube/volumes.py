"""The volumes of a pod as directories of this machine."""

import base64
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from localkube.objects import Obj, namespace_of
from localkube.store import Store

_SHARED_MEMORY = Path("/dev/shm")


class MountError(Exception):
    """A volume cannot be set up yet; the message says why."""

    def __init__(self, volume: Obj, why: str) -> None:
        super().__init__(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {why}')


def memory_root(state: Path) -> Path | None:
    """Where the memory-backed volumes of a server lie, if the system has such a place."""
    if not os.access(_SHARED_MEMORY, os.W_OK):
        return None
    return _SHARED_MEMORY / f"localkube-{os.getuid()}-{state.stat().st_ino}"


@dataclass(frozen=True)
class Volumes:
    """Where volumes lie: those of the pod, the hostPath volumes of its node, and those in memory."""

    store: Store
    directory: Path
    node: Path
    memory: Path | None

    def mount(self, pod: Obj) -> dict[str, Path]:
        """The directory of each volume by name. Raises MountError."""
        return {volume["name"]: self._volume(pod, volume) for volume in pod["spec"].get("volumes") or ()}

    def _volume(self, pod: Obj, volume: Obj) -> Path:
        if "hostPath" in volume:
            return self._host_path(volume)
        in_memory = (volume.get("emptyDir") or {}).get("medium") == "Memory"
        place = self.memory if in_memory and self.memory else self.directory / "volumes"
        path = place / str(volume["name"])
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for kind, resource, name in (
            ("configMap", "configmaps", "name"),
            ("secret", "secrets", "secretName"),
        ):
            if kind in volume:
                found = self.store.get(resource, namespace_of(pod), volume[kind].get(name, ""))
                if found is None and not volume[kind].get("optional"):
                    raise MountError(volume, f'{kind.lower()} "{volume[kind].get(name, "")}" not found')
                _files(volume, volume[kind], contents_of(found or {}), path)
        return path

    def _host_path(self, volume: Obj) -> Path:
        wanted, kind = volume["hostPath"]["path"], volume["hostPath"].get("type") or ""
        path = self.node / str(wanted).lstrip("/")
        if not path.resolve().is_relative_to(self.node.resolve()):
            raise MountError(volume, f"{wanted} leaves the node")
        if kind in ("", "DirectoryOrCreate"):
            path.mkdir(parents=True, exist_ok=True)
        elif kind == "FileOrCreate":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        elif not {"Directory": path.is_dir, "File": path.is_file}.get(kind, bool)():
            raise MountError(volume, f"hostPath type check failed: {wanted} is not a {kind}")
        return path


def contents_of(obj: Obj) -> dict[str, bytes]:
    """What a ConfigMap or Secret holds, by key."""
    contents = {key: base64.b64decode(text) for key, text in (obj.get("binaryData") or {}).items()}
    for key, text in (obj.get("data") or {}).items():
        contents[key] = base64.b64decode(text) if obj["kind"] == "Secret" else text.encode()
    return contents


def _files(volume: Obj, source: Obj, contents: dict[str, bytes], path: Path) -> None:
    for item in source.get("items") or [{"key": key, "path": key} for key in contents]:
        target = path / item["path"]
        if not target.resolve().is_relative_to(path.resolve()):
            raise MountError(volume, f"path {item['path']} leaves the volume")
        if item["key"] in contents:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.write_bytes(contents[item["key"]])
            target.chmod(item.get("mode") or source.get("defaultMode") or 0o644)
        elif not source.get("optional"):
            raise MountError(volume, f"references non-existent config key: {item['key']}")


def mounts_of(container: Obj, volumes: Mapping[str, Path]) -> dict[str, Path]:
    """mountPath -> the directory or file of this machine behind it; a missing subPath becomes a directory."""
    mounts = {}
    for mount in container.get("volumeMounts") or ():
        path = mounts[mount["mountPath"]] = volumes[mount["name"]] / mount.get("subPath", "")
        if not path.exists():
            path.mkdir(parents=True)
    return mounts


def used(path: Path) -> int:
    """Bytes below a directory."""
    total = 0
    for directory, _, files in os.walk(path):
        for name in files:
            with suppress(OSError):  # removed meanwhile
                total += os.lstat(os.path.join(directory, name)).st_blocks * 512
    return total

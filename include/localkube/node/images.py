"""The images a node can run: a JSON file that maps names to OCI image configurations.

There is no registry and no unpacking: an image is the command its configuration names, run on this machine.
A name with a `*` is a path: it stands for the images of all these files, which have its values where they say
nothing else, and run in the folder of their file.
"""

from glob import glob
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from localkube.node.volumes import NotReady


class ImageFileError(ValueError):
    """The images file cannot be used; the message names the file and what is wrong."""


class Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to run an image, in the terms of the OCI specification."""

    Entrypoint: list[str] = []
    Cmd: list[str] = []
    Env: list[str] = []
    WorkingDir: str = ""
    User: str = ""
    Labels: dict[str, Any] = {}


_PAUSE = Image(["/bin/sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done"])


class Images:
    """The images of the file as it is now; it may change while the server runs."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._images: dict[str, Image] = {}
        self._patterns: list[str] = []
        self._read: list[tuple[Path, int]] = []
        self._reload()

    def get(self, name: str, policy: str) -> Image:
        """Return the image of that name; pause images are built in. Raise NotReady when there is none."""
        remedy, never = "add it to the images file of localkube", "ErrImageNeverPull"
        try:
            self._reload()
        except ImageFileError as error:  # the last version stays in use while a file is being edited
            remedy = str(error)
        is_pause = name.rpartition("/")[2].partition(":")[0] == "pause"
        image = self._images.get(name) or (_PAUSE if is_pause else None)
        if image is not None:
            return image
        if policy == "Never":
            message = f'Container image "{name}" is not present with pull policy of Never; {remedy}'
            raise NotReady(message, never, never)
        message = f'Failed to pull image "{name}": not found; {remedy}'
        raise NotReady(message, "ImagePullBackOff", "Failed", "BackOff")

    def _reload(self) -> None:
        if self._path is None or self._read == _versions(self._path, self._patterns):
            return
        images: dict[str, Image] = {}
        found: list[tuple[Path, dict[str, Any]]] = [(self._path, {})]
        patterns = []
        for path, defaults in found:  # which grows
            for name, entry in _entries(path).items():
                if "*" in name:
                    patterns.append(name)
                    found += [(file, {"WorkingDir": str(file.parent), **entry}) for file in _matching(name)]
                else:
                    images[name] = _convert({**defaults, **entry}, f"images file {path}: {name}")
        self._images, self._patterns, self._read = images, patterns, _versions(self._path, patterns)


def _matching(pattern: str) -> list[Path]:
    return sorted(map(Path, glob(pattern)))


def _versions(path: Path, patterns: list[str]) -> list[tuple[Path, int]]:
    files = [path, *chain.from_iterable(map(_matching, patterns))]
    return [(file, file.stat().st_mtime_ns) for file in files if file.exists()]


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, Any]])
    except (OSError, msgspec.MsgspecError) as error:
        raise ImageFileError(f"images file {path}: {error}") from None


def _convert(entry: dict[str, Any], where: str) -> Image:
    try:
        return msgspec.convert(entry, Image)
    except msgspec.MsgspecError as error:
        fields = ", ".join(Image.__struct_fields__)
        raise ImageFileError(f"{where}: an object with {fields}: {error}") from None

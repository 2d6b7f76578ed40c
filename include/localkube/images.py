"""The images a node can run: a JSON file that maps names to OCI image configurations.

There is no registry and no unpacking: an image is the command its configuration names, run on this machine.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PAUSE = ["/bin/sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done"]


class ImageFileError(ValueError):
    """The images file cannot be used; the message names the file and what is wrong."""


@dataclass(frozen=True)
class Image:
    """What the configuration of an image says of how to run it."""

    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: dict[str, str]
    working_dir: str


class Images:
    """The images of the file as it is now; it may be changed while the server runs."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._read_at = path, -1
        self._images: dict[str, Image] = {}
        self._reload()

    def get(self, name: str) -> Image | None:
        """The image of that name; pause images are built in."""
        with suppress(ImageFileError):  # what was read before stays in use while the file is being edited
            self._reload()
        if name not in self._images and name.rpartition("/")[2].partition(":")[0] == "pause":
            return Image(tuple(_PAUSE), (), {}, "")
        return self._images.get(name)

    def _reload(self) -> None:
        if self._path is None:
            return
        try:
            changed = self._path.stat().st_mtime_ns
            if changed == self._read_at:
                return
            entries = json.loads(self._path.read_text())
        except (OSError, ValueError) as error:
            raise ImageFileError(f"images file {self._path}: {error}") from None
        if not isinstance(entries, dict):
            raise ImageFileError(
                f"images file {self._path}: must be an object that maps image names to configurations"
            )
        self._images = {
            name: _image(f"images file {self._path}: {name}", entry) for name, entry in entries.items()
        }
        self._read_at = changed


def _image(where: str, entry: object) -> Image:
    if not isinstance(entry, dict):
        raise ImageFileError(f"{where}: must be an object with Entrypoint, Cmd, Env, WorkingDir")
    if unknown := set(entry) - {"Entrypoint", "Cmd", "Env", "WorkingDir", "User", "Labels"}:
        raise ImageFileError(
            f"{where}: unknown field {', '.join(sorted(unknown))}; allowed: Entrypoint, Cmd, Env, "
            "WorkingDir, User, Labels"
        )
    lists = {}
    for key in ("Entrypoint", "Cmd", "Env"):
        lists[key] = entry.get(key) or []
        if not isinstance(lists[key], list) or not all(isinstance(part, str) for part in lists[key]):
            raise ImageFileError(f"{where}: {key} must be a list of strings")
    return Image(
        tuple(lists["Entrypoint"]),
        tuple(lists["Cmd"]),
        dict(line.partition("=")[::2] for line in lists["Env"]),
        str(entry.get("WorkingDir") or ""),
    )

"""The images a node can run: a JSON file that maps names to OCI image configurations.

There is no registry and no unpacking: an image is the command its configuration names, run on this machine.
"""

from contextlib import suppress
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
        self._path, self._read_at = path, -1
        self._images: dict[str, Image] = {}
        self._reload()

    def get(self, name: str, policy: str) -> Image:
        """Return the image of that name; pause images are built in. Raise NotReady when there is none."""
        with suppress(ImageFileError):  # the last version stays in use while the file is being edited
            self._reload()
        is_pause = name.rpartition("/")[2].partition(":")[0] == "pause"
        image = self._images.get(name) or (_PAUSE if is_pause else None)
        if image is not None:
            return image
        remedy, never = "add it to the images file of localkube", "ErrImageNeverPull"
        if policy == "Never":
            message = f'Container image "{name}" is not present with pull policy of Never; {remedy}'
            raise NotReady(message, never, never)
        message = f'Failed to pull image "{name}": not found; {remedy}'
        raise NotReady(message, "ImagePullBackOff", "Failed", "BackOff")

    def _reload(self) -> None:
        if self._path is None:
            return
        where = f"images file {self._path}"
        try:
            changed = self._path.stat().st_mtime_ns
            if changed == self._read_at:
                return
            images: dict[str, Image] = {}
            for name, entry in msgspec.json.decode(self._path.read_bytes(), type=dict[str, Any]).items():
                fields = ", ".join(Image.__struct_fields__)
                where = f"images file {self._path}: {name}: an object with {fields}"
                images[name] = msgspec.convert(entry, Image)
        except (OSError, msgspec.MsgspecError) as error:
            raise ImageFileError(f"{where}: {error}") from None
        self._images, self._read_at = images, changed

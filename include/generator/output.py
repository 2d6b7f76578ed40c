"""The bucket or directory of the demo's files, and what it holds already."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import obstore
from obstore.exceptions import BaseError

from workload.errors import TryAgain
from workload.storage import locate, put, reason

ROOT = "demo"
"""The key prefix of all datasets of the demo."""

MARKER = f"{ROOT}/generator.json"
"""The key of the object that says which generator, seed and scale made the files."""


class Output:
    """An output by its URL (`s3://bucket/prefix`, `file:///directory`); keys are relative to it.

    Every method raises `workload.errors.TryAgain` when storage fails.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def write(self, key: str, content: bytes) -> None:
        """Write one object in one piece."""
        put(f"{self.url}/{key}", content)

    def keys(self) -> set[str]:
        """Return the keys of the demo that exist."""
        store, prefix = locate(f"{self.url}/{ROOT}")
        base = prefix.removesuffix(ROOT)
        with self._errors():
            return {item["path"].removeprefix(base) for page in obstore.list(store, prefix) for item in page}

    def marker(self) -> Any:
        """Return the marker, or None when it is missing or unreadable."""
        store, key = locate(f"{self.url}/{MARKER}")
        with self._errors():
            try:
                return json.loads(bytes(obstore.get(store, key).bytes()))
            except (FileNotFoundError, ValueError):
                return None

    def remove_marker(self) -> None:
        """Remove the marker before writing files that it does not describe."""
        store, key = locate(f"{self.url}/{MARKER}")
        with self._errors(), suppress(FileNotFoundError):
            obstore.delete(store, key)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError) as error:
            raise TryAgain(f"cannot look into {self.url}: {reason(error)}") from error

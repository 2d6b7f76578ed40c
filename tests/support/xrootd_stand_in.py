"""What the package fsspec-xrootd is to fsspec, with its files in memory: no XRootD server comes from PyPI.

Paths begin with a slash, files have sizes and times, and what is not there is an OSError of XRootD's number.
"""

from collections.abc import Iterator
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry


class XrootdStandIn(MemoryFileSystem):
    """The file system; `times` has the modification times of files that are not the usual one."""

    protocol = "root"
    store: dict[str, Any] = {}  # noqa: RUF012  # as the class it is derived from
    pseudo_dirs: list[str] = [""]  # noqa: RUF012
    times: dict[str, int] = {}  # noqa: RUF012

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.partition("//")[2].partition("//")[2] if path.startswith("root://") else path

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        try:
            found: dict[str, Any] = super().info(path, **options)
        except FileNotFoundError:
            raise OSError(f"File stat request failed: [3011] Unable to locate {path}") from None
        return found | {"mtime": self.times.get(path, 1)}

    def cat_file(self, path: str, start: int | None, end: int | None, **options: Any) -> Any:
        return super().cat_file(path, start, end)  # which has defaults, unlike that of fsspec-xrootd

    def find(self, path: str, **options: Any) -> Any:
        return {name: self.info(name) for name in super().find(path)}


@pytest.fixture
def xrootd() -> Iterator[XrootdStandIn]:
    """Yield the stand-in, empty, as fsspec's file system for root:// URLs."""
    fsspec.register_implementation("root", XrootdStandIn, clobber=True)
    files = XrootdStandIn()
    files.store.clear()
    files.times.clear()
    yield files
    _registry.pop("root")

"""What a command leaves for a shard: files that are published first, and the document that makes them count.

The files are a stranger's, and this process holds the keys of the stores. So it follows no link and opens
nothing but plain files: a link to its own environment would be published like any other file.
"""

import gzip
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import Any, Self

from workload.errors import BadInput, Misconfigured, TryAgain
from workload.inputs import Staged
from workload.settings import required
from workload.storage import upload
from workload.th1 import read_th1

LARGEST_RESULT = 1 << 20  # bytes of a result document, in which each file takes some 150
OWN_DOCUMENT, LOG = "result.json", "command.log.gz"


@dataclass(frozen=True)
class Asked:
    """What the campaign asks of a command's files: the fields of the JSON object in the variable PUBLISH.

    `outputs` are globs below OUTPUT_DIR. Without any, the document that the command writes is the result.
    `histograms` are those that are read from files. A second attempt, whose name is the variable ATTEMPT, has
    a `folder` of its own: whichever document is left names files that no other attempt has written.
    """

    workload: str
    files_url: str
    outputs: list[str] = field(default_factory=list)
    bad_input_codes: list[int] = field(default_factory=list)
    most_bytes: int | None = None
    logs: bool = False
    histograms: list[dict[str, Any]] = field(default_factory=list)
    folder: str = ""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables; raise `Misconfigured`."""
        folder = f"{attempt}/" if (attempt := environ.get("ATTEMPT")) else ""
        try:
            return cls(**json.loads(required(environ, "PUBLISH")), folder=folder)
        except (ValueError, TypeError) as error:
            raise Misconfigured(f"PUBLISH: {error}") from error


def publish(
    given: Staged,
    output: Path,
    log: Path,
    dataset: str,
    asked: Asked,
    seconds: float,
    used: Mapping[str, float],
) -> bytes:
    """Publish the files of a shard and return its document.

    :param seconds: that the command took.
    :param used: what else it took (`workload.used`).
    :raises BadInput: when the files are too large or too many, or have names that no store can have.
    :raises TryAgain: when a store fails, or when nothing is there that could be the result.
    """
    shard = given.shard
    url = f"{asked.files_url}/{shard.name}"
    own = _own_document(output, needed=not asked.outputs)
    if asked.histograms:
        written = own.get("histograms")
        found = {one["name"]: _histogram(output, one) for one in asked.histograms}
        own["histograms"] = (written if isinstance(written, dict) else {}) | found
    files = _publish_folder(output, url, asked)
    if asked.outputs and not (files or own or "*" in asked.outputs):
        raise TryAgain(f"the command has left no file that matches {' or '.join(asked.outputs)}")
    if asked.logs:
        files.append(_publish_log(log, url, asked))
    _check_events(own, shard.entries)
    document = {"samplename": dataset, "processed": 0, "lumi": shard.lumi} | own
    document |= {
        "shard": shard.name,
        "url": shard.url,
        "size": shard.size,
        "entries": shard.entries,
        "workload": asked.workload,
        "files": files,
        "seconds": {"stage_in": round(given.seconds, 3), "compute": round(seconds, 3)},
        "bytes": given.received,
        "used": used,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    content = json.dumps(document).encode()
    if len(content) > LARGEST_RESULT:
        raise BadInput(f"{len(files)} files are more than its document can name: let outputs match fewer")
    return content


def _own_document(output: Path, *, needed: bool) -> dict[str, Any]:
    """Return the document that the command has written, if any; raise `TryAgain` when it is no such thing."""
    path = output / OWN_DOCUMENT
    if not needed and not path.exists():
        return {}
    content = read_plain(path, LARGEST_RESULT + 1)
    try:
        document = json.loads(content) if len(content) <= LARGEST_RESULT else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise TryAgain(f"the command has left no result: {OWN_DOCUMENT} is not a JSON object of a few kB")
    return document


def _check_events(own: Mapping[str, Any], entries: tuple[int, int] | None) -> None:
    """Raise `TryAgain` unless the command says that it has read a range of events alone, where it has one."""
    if entries and own.get("processed") != (events := entries[1] - entries[0]):
        raise TryAgain(
            f"{OWN_DOCUMENT} does not say, as processed, that the command has read the {events} events from "
            f"{entries[0]} alone: those of the whole file would count once for each of its parts"
        )


def _histogram(output: Path, asked: dict[str, Any]) -> list[int] | dict[str, list[float]]:
    name, _, key = asked["from"].partition(":")
    with open_plain(output / name) as file:
        return read_th1(file, asked, key)


def _publish_folder(output: Path, url: str, asked: Asked) -> list[dict[str, Any]]:
    found, total = [], 0
    for name, file in _plain_files(output):
        if name == OWN_DOCUMENT or not any(fnmatchcase(name, glob) for glob in asked.outputs):
            continue
        total += os.fstat(file.fileno()).st_size
        if asked.most_bytes is not None and total > asked.most_bytes:
            raise BadInput(f"its output has more than the {asked.most_bytes / 1e9:g} GB of max_output_gb")
        found.append(_publish_file(file, f"{asked.folder}{name}", url))
    return found


def _publish_log(log: Path, url: str, asked: Asked) -> dict[str, Any]:
    with open_plain(log) as plain, tempfile.TemporaryFile() as packed:
        with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped:
            shutil.copyfileobj(plain, zipped)
        return _publish_file(packed, f"{asked.folder}{LOG}", url)


def _publish_file(file: BufferedReader | BufferedRandom, name: str, url: str) -> dict[str, Any]:
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = file.tell()
    upload(f"{url}/{name}", file, size)
    return {"name": name, "size": size, "sha256": digest}


def _plain_files(folder: Path) -> Iterator[tuple[str, BufferedReader]]:
    """Yield the plain files below a folder with their relative names, open, in the order of the names."""

    def fail(error: OSError) -> None:
        raise TryAgain(f"cannot read its output: {error}") from error

    for root, folders, names, descriptor in os.fwalk(folder, onerror=fail):
        folders.sort()
        for name in sorted(names):
            if stat.S_ISREG(os.lstat(name, dir_fd=descriptor).st_mode):
                with open_plain(Path(name), descriptor) as file:
                    yield str(Path(root, name).relative_to(folder)), file


def open_plain(path: Path, folder: int | None = None) -> BufferedReader:
    """Open a plain file that is no link; raise `TryAgain` when it is none, or cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        file = os.fdopen(descriptor, "rb")
    except OSError as error:
        raise TryAgain(f"cannot read its output: {error}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise TryAgain(f"cannot read its output: {path.name} is not a plain file")
    return file


def read_plain(path: Path, most: int, *, end: bool = False) -> bytes:
    """Return at most so many bytes of a plain file, from its beginning or before its end; none without it."""
    try:
        with open_plain(path) as file:
            if end:
                file.seek(max(file.seek(0, os.SEEK_END) - most, 0))
            return file.read(most)
    except TryAgain:
        return b""

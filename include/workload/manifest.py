"""The shard manifest: which objects a completion index works on.

It has one line of JSON for each index, so that a pod parses only its own.
"""

import json
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from workload.errors import BadInput, Misconfigured

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,227}")  # with .json or an ending a file name
_CHECKSUM = re.compile("adler32:[0-9a-f]{8}")
_ENDING = re.compile(r"(\.[A-Za-z0-9]{1,10})?\.(gz|bz2|xz|zst)$|\.[A-Za-z0-9]{1,16}$")


@dataclass(frozen=True)
class Shard:
    """One object to analyse, or some of its events.

    `name` is also the result's name; `size` and `etag` tell which version of the object was listed (None
    where the listing could not say), `checksum` what an archive, which changes no file, says of its content
    (`adler32:` and eight digits); `lumi` is the integrated luminosity of a data shard (`{"stream",
    "value"}`), absent in simulation. `entries` are the first event and the one after the last; None for all.
    """

    name: str
    url: str
    size: int | None
    lumi: dict[str, Any] | None
    etag: str | None = None
    entries: tuple[int, int] | None = None
    checksum: str | None = None

    @property
    def file_name(self) -> str:
        """Its name where it is staged in, which ends as the object's does: programs go by that.

        >>> Shard("a-b-5f2e", "s3://x/a/b.csv.gz", None, None).file_name
        'a-b-5f2e.csv.gz'
        """
        ending = _ENDING.search(self.url)
        return f"{self.name}{ending[0]}" if ending and not self.url.endswith(f"/{self.name}") else self.name

    @property
    def source(self) -> str:
        """The object's URL, with the range of events where it is not the whole."""
        return self.url if self.entries is None else "{}#{}-{}".format(self.url, *self.entries)


def read_shards(manifest: Path, index: int) -> list[Shard]:
    """Read the shards of one completion index.

    :raises Misconfigured: when the file cannot be read.
    :raises BadInput: when its line is missing or breaks the contract, which the next attempt cannot change.
    """
    try:
        with manifest.open(encoding="utf-8") as lines:
            line = next(islice(lines, index, None), None)
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"cannot read SHARD_MANIFEST {manifest}: {error}") from error
    if line is None:
        raise BadInput(f"{manifest} has no line for completion index {index}")
    where = f"{manifest}, completion index {index}"
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise BadInput(f"{where}: not JSON: {error}") from error
    shards = entry.get("shards") if isinstance(entry, dict) else None
    if not isinstance(shards, list) or not shards:
        raise BadInput(f'{where}: expected {{"shards": [...]}} with at least one shard')
    return [_shard(item, f"{where}, shard {position}") for position, item in enumerate(shards)]


def _shard(item: object, where: str) -> Shard:
    if not isinstance(item, dict):
        raise BadInput(f"{where}: expected an object, found {item!r}")
    name, url, size, lumi, etag = (item.get(key) for key in ("name", "url", "size", "lumi", "etag"))
    if not isinstance(name, str) or not _SAFE_NAME.fullmatch(name):
        raise BadInput(f"{where}: name {name!r} is not a plain file name of letters, digits, '.', '_', '-'")
    if not isinstance(url, str) or "://" not in url:
        raise BadInput(f"{where} ({name}): url {url!r} is not a URL")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise BadInput(f"{where} ({name}): size {size!r} is not a number of bytes")
    if lumi is not None and not (isinstance(lumi, dict) and {"stream", "value"} <= lumi.keys()):
        raise BadInput(f'{where} ({name}): lumi {lumi!r} is not {{"stream", "value"}} or null')
    if etag is not None and not isinstance(etag, str):
        raise BadInput(f"{where} ({name}): etag {etag!r} is not a text")
    checksum = item.get("checksum")
    if checksum is not None and not _CHECKSUM.fullmatch(str(checksum)):
        raise BadInput(f"{where} ({name}): checksum {checksum!r} is not adler32: and eight digits")
    return Shard(name, url, size, lumi, etag, _entries(item.get("entries"), f"{where} ({name})"), checksum)


def _entries(value: object, where: str) -> tuple[int, int] | None:
    match value:
        case None:
            return None
        case [int(start), int(stop)] if 0 <= start < stop and bool not in (type(start), type(stop)):
            return start, stop
    raise BadInput(f"{where}: entries {value!r} are not [first, one after the last]")

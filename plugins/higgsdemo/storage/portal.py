"""The CERN Open Data portal: what a record is, and which files it has, by the portal's public API.

What it answers comes from outside. Sizes and times have limits, a redirection must stay on the portal, and of
a file's URI only the path counts, so that no record can send pods elsewhere.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote, urlsplit

import httpx
from annotated_types import Ge, Le, MaxLen
from pydantic import AliasPath, BaseModel, Field, TypeAdapter, ValidationError

from higgsdemo.storage.connections import StorageError
from higgsdemo.wording import first_fault, quote

LARGEST = 64 << 20  # bytes of a document; an index of 1,500 files has some 400 kB
SILENCE, WHOLE = 30.0, 120.0  # s until a connection, or a document, is given up; Airflow tries again
REDIRECTIONS = 3
INDEX = re.compile(r"_file_index\.(json|txt)$")
_GONE = (400, 404, 410)  # what asking again does not change
_CHECKSUM = re.compile(r"adler32:([0-9a-f]{1,8})", re.IGNORECASE)

Content = TypeVar("Content")


class RecordFile(BaseModel):
    """A file of a record, as its URI says; size in bytes and checksum where they are known."""

    uri: str
    size: Annotated[int, Ge(0), Le(1 << 50)] | None = None
    checksum: str | None = None
    availability: str | None = None

    @property
    def adler32(self) -> str | None:
        """The checksum as `adler32:` and eight digits, of which records leave out leading zeros."""
        found = _CHECKSUM.fullmatch(self.checksum or "")
        return f"adler32:{found[1].lower():0>8}" if found else None


class _Index(BaseModel):
    key: str
    files: list[RecordFile] | None = None
    availability: str | None = None


def _said(*path: str, otherwise: Any = None) -> Any:
    return Field(otherwise, validation_alias=AliasPath("metadata", *path))


class _Answer(BaseModel):
    id: int
    title: str = _said("title", otherwise=...)
    doi: str | None = _said("doi")
    kinds: list[str] | None = _said("type", "secondary")
    number_files: int | None = _said("distribution", "number_files")
    availability: str | None = _said("availability")
    files: list[RecordFile] | None = _said("files")
    indexes: Annotated[list[_Index], MaxLen(1000)] | None = _said("_file_indices")


_FOUND = TypeAdapter[dict[str, Any]](dict[str, Any])
_ANSWER, _FILES = TypeAdapter(_Answer), TypeAdapter(list[RecordFile])


@dataclass(frozen=True)
class Record:
    """A record of the portal: addresses in the API and for people, and files by URI.

    :param number: of its files as it says; None where it does not.
    """

    id: int
    url: str
    page: str
    title: str
    simulated: bool
    number: int | None
    files: dict[str, RecordFile]


def read_record(url: str) -> Record:
    """Return the record that an address in the API leads to: its own, or a search for its DOI.

    :raises StorageError: when the portal does not answer so, or has no such record.
    """
    api, _, search = url.partition("?")
    if search:
        url = f"{api}/{_search(url)}"
    answer = _parse(_ANSWER, _get(url), url)
    if search and f'"{answer.doi}"'.casefold() not in unquote(search).casefold():
        raise StorageError(f"{api} has no record of that DOI: it found {quote(answer.doi)}")
    portal = api.partition("/api/records")[0]
    page = f"{portal}/record/{answer.id}"
    files: dict[str, RecordFile] = {}
    for file in _all_files(answer, f"{page}/file_index"):
        file.availability = file.availability or answer.availability or "online"
        files.setdefault(file.uri, file)
    return Record(
        answer.id,
        f"{portal}/api/records/{answer.id}",
        page,
        answer.title,
        "simulated" in [kind.casefold() for kind in answer.kinds or ()],
        answer.number_files,
        files,
    )


def _search(url: str) -> int:
    """Return the number of the record that a search finds."""
    match _parse(_FOUND, _get(url), url):
        case {"hits": {"hits": [{"id": int(number) | str(number)}, *_]}} if str(number).isdecimal():
            return int(number)
    raise StorageError(f"the portal has no record of the DOI: {url} finds none")


def _all_files(record: _Answer, lists: str) -> Iterator[RecordFile]:
    """Yield the files that a record names, and those of its indexes, which old records keep apart."""
    indexes = {index.key: index for index in record.indexes or ()}
    for file in record.files or ():
        if INDEX.search(file.uri):
            key = file.uri.rpartition("/")[2]
            indexes.setdefault(key, _Index(key=key))
        else:
            yield file
    for key, index in indexes.items():
        twin = f"{key.removesuffix('.txt')}.json"
        if index.files is None and key != twin and twin in indexes:
            continue  # the same list without sizes
        for file in _read_index(f"{lists}/{_safe(key)}") if index.files is None else index.files:
            file.availability = file.availability or index.availability
            yield file


def _safe(key: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", key):
        raise StorageError(
            f"a record of the portal names the index file {quote(key)}, which is no plain name"
        )
    return key


def _read_index(url: str) -> list[RecordFile]:
    content = _get(url)
    if url.endswith(".json"):
        return _parse(_FILES, content, url)
    lines = content.decode(errors="replace").splitlines()
    return [RecordFile(uri=line.strip()) for line in lines if line.strip()]


def _parse(kind: TypeAdapter[Content], content: bytes, url: str) -> Content:
    try:
        return kind.validate_json(content)
    except ValidationError as error:
        why = f"what answers there is not the API of the CERN Open Data portal ({first_fault(error)})"
        hint = "is storage.portal right, or does a proxy ask for a login?"
        raise StorageError(f"cannot read {url}: {why}; {hint}", final=False) from None


def _get(url: str) -> bytes:
    """Return what the portal answers, following it to other addresses of its own."""
    began = time.monotonic()
    asked = url
    try:
        for _ in range(1 + REDIRECTIONS):
            with httpx.stream("GET", asked, timeout=SILENCE) as answer:
                if answer.next_request is None:
                    return _body(answer, url, began + WHOLE)
                asked = str(answer.next_request.url)
            if urlsplit(asked)[:2] != urlsplit(url)[:2]:
                raise StorageError(f"cannot read {url}: it leads to {quote(asked)}, away from the portal")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise StorageError(f"cannot read {url}: {str(error) or type(error).__name__}", final=False) from error
    raise StorageError(f"cannot read {url}: it leads from one address to another", final=False)


def _body(answer: httpx.Response, url: str, end: float) -> bytes:
    if answer.status_code != 200:
        why = f"the portal answers {answer.status_code} {answer.reason_phrase}"
        raise StorageError(f"cannot read {url}: {why}", final=answer.status_code in _GONE)
    content = bytearray()
    for chunk in answer.iter_bytes():
        content += chunk
        if len(content) > LARGEST:
            raise StorageError(f"cannot read {url}: it has more than {LARGEST} bytes")
        if time.monotonic() > end:
            raise StorageError(f"cannot read {url}: it has not come within {WHOLE:.0f} s", final=False)
    return bytes(content)

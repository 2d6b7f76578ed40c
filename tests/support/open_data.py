"""The API of the CERN Open Data portal, and the files of its records, on the web server of the tests."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

import pytest

from web_server import WebServer

ERROR_PAGE = b"<!DOCTYPE html><html><body>Something went wrong</body></html>".ljust(3846)
"""What the portal has been seen to answer, with status 200, in the place of a file."""


class OpenData:
    """Records and files as the portal serves them."""

    def __init__(self, server: WebServer) -> None:
        self.server = server
        self.url = server.url

    def file(self, path: str, content: bytes = b"events", **more: Any) -> dict[str, Any]:
        """Serve a file; gives its entry in a record, whose checksum has no leading zeros."""
        self.server.put(path, content)
        return entry(path, len(content), zlib.adler32(content)) | more

    def record(
        self,
        number: int,
        files: list[dict[str, Any]] | None = None,
        indexes: Mapping[str, list[dict[str, Any]] | None] | None = None,
        *,
        kind: str = "Collision",
        **metadata: Any,
    ) -> None:
        """Serve a record; an index without files is an old one, which is served apart (`index`)."""
        named = list(files or ())
        for of_index in (indexes or {}).values():
            named += of_index or ()
        found: dict[str, Any] = {
            "recid": number,
            "title": f"/Mu{number}/Run2016G-v1/NANOAOD",
            "type": {"primary": "Dataset", "secondary": [kind]},
            "distribution": {"number_files": len(named)},
            "files": files,
            "_file_indices": [
                {"key": key, "size": 1} | ({} if of_index is None else {"files": of_index})
                for key, of_index in (indexes or {}).items()
            ],
        }
        found |= metadata
        self.document(f"api/records/{number}", {"id": str(number), "metadata": found})
        if doi := metadata.get("doi"):
            self.search(doi, number)

    def search(self, doi: str, *numbers: int) -> str:
        """Answer a search for a DOI by these records; gives its URL."""
        hits = {"total": len(numbers), "hits": [{"id": number} for number in numbers]}
        path = f"api/records?page=1&size=1&q=doi:%22{doi}%22"
        self.document(path, {"hits": hits})
        return f"{self.url}/{path}"

    def index(self, number: int, key: str, files: list[dict[str, Any]]) -> None:
        """Serve the index file of an old record."""
        text = "".join(f"{file['uri']}\n" for file in files) if key.endswith(".txt") else json.dumps(files)
        self.server.put(f"record/{number}/file_index/{key}", text.encode())

    def document(self, path: str, content: Any) -> None:
        """Serve any document."""
        self.server.put(path, json.dumps(content).encode())


def entry(path: str, size: int, checksum: int) -> dict[str, Any]:
    """Return a file in a record."""
    return {"uri": f"root://eospublic.cern.ch//{path}", "size": size, "checksum": f"adler32:{checksum:x}"}


@pytest.fixture
def open_data(web_server: WebServer) -> OpenData:
    """Return a portal without a record."""
    return OpenData(web_server)

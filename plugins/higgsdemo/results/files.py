"""The files that commands have left, as lists for the tools that read them: `files.jsonl` and `files.txt`.

A file counts when a result that counts names it, so those of a failed attempt are in no list.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from higgsdemo.results.document import Document
from higgsdemo.run import Run
from higgsdemo.run_folder import FILE_URLS, FILES, locate


class FileLists:
    """The lists of a run, as long as its results are: on disk until they are written."""

    def __init__(self, run: Run, folder: Path, stack: ExitStack) -> None:
        self._run = run
        self._paths = {name: folder / name for name in (FILES, FILE_URLS)}
        self._lines, self._urls = (
            stack.enter_context(path.open("w", encoding="utf-8")) for path in self._paths.values()
        )
        self.count = self.bytes = 0

    @classmethod
    @contextmanager
    def of(cls, run: Run) -> Iterator[Self]:
        """Give empty lists."""
        with TemporaryDirectory() as folder, ExitStack() as stack:
            yield cls(run, Path(folder), stack)

    def add(self, key: str, document: Document) -> None:
        """Add the files that a result names."""
        dataset, shard = locate(key)
        for file in document.files:
            url = f"{self._run.files(dataset)}/{shard}/{file.name}"
            entry = {"url": url, "size": file.size, "sha256": file.sha256, "dataset": dataset, "shard": shard}
            self._lines.write(f"{json.dumps(entry)}\n")
            self._urls.write(f"{url}\n")
            self.count += 1
            self.bytes += file.size

    def written(self) -> dict[str, Path]:
        """Return the two files by their names in the run's folder."""
        self._lines.flush()
        self._urls.flush()
        return self._paths

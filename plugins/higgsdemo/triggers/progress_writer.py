"""Write a wait's progress to the run's folder, for the page, which cannot ask the cluster."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from higgsdemo.run import ClusterRun
from higgsdemo.run_folder import progress_key
from higgsdemo.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

LEFT_EVERY = 2.0  # s at least between two writes
LEFT_IN = 10.0  # s that a write may take


class ProgressWriter:
    """Writes the latest document in a thread, so that a store that hangs blocks nothing."""

    def __init__(self, assignment: ClusterRun, log: Logger) -> None:
        self.assignment, self.log = assignment, log
        self._thread = ThreadPoolExecutor(1)
        self._writing: asyncio.Task[None] | None = None
        self._began = -LEFT_EVERY
        self._given: Any = None
        self._failed = False

    def give(self, document: dict[str, Any], *, last: bool) -> None:
        """Begin to write a document, unless it is written already, or it is too soon for more."""
        busy = self._writing is not None and not self._writing.done()
        soon = time.monotonic() - self._began < LEFT_EVERY
        if document == self._given or (not last and (busy or soon)):
            return
        self._began, self._given = time.monotonic(), document
        writing = self._thread.submit(copy_context().run, self._write, json.dumps(document).encode())
        self._writing = asyncio.ensure_future(self._watch(asyncio.wrap_future(writing)))

    async def end(self) -> None:
        """Wait for the present write, but not for long."""
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=LEFT_IN)

    async def _watch(self, writing: asyncio.Future[None]) -> None:
        """Report a write that takes too long, or has failed, which is then repeated."""
        await asyncio.wait({writing}, timeout=LEFT_IN)
        if not writing.done():
            self._tell(f"no answer from {self.assignment.run.output} in {LEFT_IN:.0f} s")
            await asyncio.wait({writing})
        if error := writing.exception():
            self._tell(str(error) or type(error).__name__)
            self._given, self._began = None, -LEFT_EVERY
        else:
            self._failed = False

    def _tell(self, why: str) -> None:
        if not self._failed:
            name = self.assignment.cluster.name
            self.log.warning("the progress of cluster %s is not shown: %s", name, why)
        self._failed = True

    def _write(self, content: bytes) -> None:
        run = self.assignment.run
        store = ObjectStore(run.output, run.output_connection)  # anew each time: credentials expire
        store.write(progress_key(self.assignment.cluster.name), content)

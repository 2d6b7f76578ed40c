"""Read a run's folder in the bucket piece by piece, in a thread, while somebody looks at the run.

A request is answered with what has been read so far; only the first one waits a moment, so that it mostly has
a picture. A pass reads the new lists of shards, lists only the datasets with results still to come, and
fetches only what it has not counted before. Where that takes long, the next pass goes on with it, and sees
what else is new. Once a run is merged, two files have everything, however many results there are.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

from higgsdemo import run_folder
from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.catalogue import CatalogueError
from higgsdemo.datasets.expected import ExpectedShards
from higgsdemo.page.airflow_run import AirflowRun
from higgsdemo.page.run_documents import PROGRESS, RUN_CHART, RUN_SUMMARY, Documents, in_words
from higgsdemo.page.snapshot import Snapshot, of_merged, of_results, stragglers
from higgsdemo.prediction import account_rows, took
from higgsdemo.publication.summary import FAILURES, RUN_RECORD
from higgsdemo.results.merge import Merge
from higgsdemo.results.parsing import MAX_BYTES
from higgsdemo.storage.object_store import DamagedError, ObjectStore, StorageError, StoredObject
from higgsdemo.wording import printable

log = logging.getLogger(__name__)

FIRST = 64  # results in the first picture, which does not wait until all are listed
BATCH = 256  # results read between two looks at the clock
FIRST_SECONDS = 0.2  # the wait of a request for the first picture
REMARKS_SHOWN = 20  # one for each record, or what was dropped of a list of 2019
PUBLISH_SECONDS = 0.5  # between two pictures of a long read
PASS_SECONDS = 5.0  # of a pass that leaves results to the next one
PAUSE_SECONDS = 1.0  # between two passes that leave none, at least
PAUSE_ENDED_SECONDS = 5.0  # the same once the run has ended
IDLE_SECONDS = 30.0  # without a request, after which reading stops
CREDENTIALS_SECONDS = 300.0  # for which an open store is used
FOLLOWED = 8  # runs kept in memory
LOST = 20  # results that cannot be read, after which the others are not tried


class Follower:
    """Follows one run while it is asked for.

    :param histograms: those that its campaign describes; None for the four-lepton analysis.
    :param since: when the run began: earlier results took it nothing.
    """

    def __init__(
        self, histograms: Sequence[HistogramSpec] | None = None, since: datetime | None = None
    ) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._asked = 0.0
        self._run: AirflowRun | None = None
        self._counting = histograms, since
        self._merge = Merge(ExpectedShards(), *self._counting)
        self._lists: dict[str, tuple[StoredObject, str | None]] = {}
        self._documents = Documents()
        self._lost: list[str] = []
        self._snapshot = Snapshot()
        self._unread: Iterator[str] | None = None
        self._listed_ended = self._read_ended = False
        self._told = threading.Event()
        self._store: ObjectStore | None = None
        self._opened = 0.0

    def look(self, run: AirflowRun) -> Snapshot:
        """Return what has been read, and go on in a thread; wait `FIRST_SECONDS` for a first picture."""
        with self._lock:
            self._run = run
            self._asked = time.monotonic()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._follow, name=f"follow {run.run.run_id}", daemon=True
                )
                self._thread.start()
        self._told.wait(FIRST_SECONDS)
        if run.ended and not self._read_ended:  # it may have left more since
            return replace(self._snapshot, complete=False)
        return self._snapshot

    def _follow(self) -> None:
        try:
            while run := self._wanted():
                began = time.monotonic()
                self._look(run)
                if self._unread is None:
                    pause = PAUSE_ENDED_SECONDS if run.ended and self._snapshot.complete else PAUSE_SECONDS
                    time.sleep(max(pause, time.monotonic() - began))
        finally:
            with self._lock:
                self._thread = None

    def _look(self, run: AirflowRun) -> None:
        try:
            for snapshot in self._pass(run):
                self._tell(snapshot)
                if not self._wanted():
                    return
        except (StorageError, CatalogueError) as error:
            self._store = self._unread = None
            self._tell(replace(self._snapshot, error=str(error)))
        except BaseException as error:  # a panic of obstore's is not an Exception
            log.exception("the folder of the run %s of %s", run.run.run_id, run.dag_id)
            self._forget()
            what = printable(f"{type(error).__name__}: {error}")
            self._tell(
                replace(self._snapshot, error=f"the run's folder cannot be shown, and is read again: {what}")
            )

    def _forget(self) -> None:
        self._store = None
        self._documents = Documents()
        self._count_anew()

    def _count_anew(self) -> None:
        self._merge, self._lists = Merge(ExpectedShards(), *self._counting), {}
        self._unread = None

    def _tell(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._told.set()

    def _wanted(self) -> AirflowRun | None:
        """Return the run to read; None when nobody has asked for it lately."""
        with self._lock:
            return self._run if time.monotonic() - self._asked < IDLE_SECONDS else None

    def _pass(self, run: AirflowRun) -> Iterator[Snapshot]:
        """Read what is new, and publish it now and then."""
        began = time.monotonic()
        store = self._open_store(run)
        self._documents.faults = []
        folder = {stored.key: stored for stored in store.folder()}
        jobs = self._documents.of_clusters(store, run.clusters, run_folder.progress_key, PROGRESS)
        seen = Snapshot(
            jobs={name: found for name, found in jobs.items() if found}, files=tuple(sorted(folder))
        )
        record = self._documents.read(store, folder.get(run_folder.RECORD), RUN_RECORD)
        if record and record.airflow and record.airflow.dag_run != run.run.run_id:
            later = record.airflow.dag_run
            self._documents.faults.append(
                f"the run {later} has gone on with this folder: what it left is shown"
            )
        seen = replace(seen, remarks=tuple(record.remarks[:REMARKS_SHOWN]) if record else ())
        if run.merged and (merged := self._merged(store, folder, seen)):
            self._unread, self._read_ended = None, run.ended
            yield merged
            return
        predicted = record.predicted if record else None
        seen = replace(seen, account=account_rows(predicted, None))
        noted = self._noted(store, run)
        listed = self._read_lists(run, store)
        if self._unread is None:
            self._unread, self._listed_ended, self._lost = self._list(store, run.datasets), run.ended, []
        told = began if self._merge.read else 0.0
        while batch := list(islice(self._unread, BATCH if told else FIRST)):
            self._count(store, batch)
            if (over := time.monotonic() - began > PASS_SECONDS) or time.monotonic() - told > PUBLISH_SECONDS:
                yield self._now(run, seen, noted)
                told = time.monotonic()
            if over:
                return
        self._unread, self._read_ended = None, self._listed_ended
        if run.assignments and self._merge.work.shards:
            planned, work = run.assignments[0].run, self._merge.work
            so_far = took(planned, work, [assignment.cluster for assignment in run.assignments])
            seen = replace(seen, account=account_rows(predicted, so_far))
        now = self._now(run, seen, noted)
        yield replace(now, stragglers=stragglers(self._merge, run), complete=listed and not self._lost)

    def _merged(
        self, store: ObjectStore, folder: Mapping[str, StoredObject], seen: Snapshot
    ) -> Snapshot | None:
        """Return what two files say of a merged run; None where one of them is missing or damaged."""
        summary = self._documents.read(store, folder.get(run_folder.SUMMARY), RUN_SUMMARY)
        numbers = self._documents.read(store, folder.get(run_folder.CHART), RUN_CHART)
        if summary is None or numbers is None:
            return None
        return replace(of_merged(summary, numbers, seen), error=in_words(self._documents.faults))

    def _noted(self, store: ObjectStore, run: AirflowRun) -> list[dict[str, Any]]:
        """Return the failed shards noted by the clusters' waits; those of a present wait run again."""
        noted = self._documents.of_clusters(store, run.clusters, run_folder.failures_key, FAILURES)
        return [
            failure.model_dump(mode="json", exclude_defaults=True) | {"cluster": name}
            for position, (name, failures) in enumerate(noted.items())
            for failure in (() if run.waits(position) else failures or ())
        ]

    def _read_lists(self, run: AirflowRun, store: ObjectStore) -> bool:
        """Read the clusters' new lists, or all anew where one was rewritten; return whether all are read."""
        stored = {found.key: found for found in store.list(run_folder.SHARDS)}
        lists = {
            name: stored[run_folder.shards_key(name)]
            for name in run.clusters
            if run_folder.shards_key(name) in stored
        }
        if any(lists.get(name) != known for name, (known, _) in self._lists.items()):
            self._count_anew()
        for name in lists.keys() - self._lists.keys():
            fault = None
            try:
                self._merge.expected.read(store, name)
            except DamagedError as error:
                fault = str(error)
            except StorageError as error:  # may be read the next time
                self._documents.faults.append(str(error))
                continue
            self._lists[name] = lists[name], fault
        self._documents.faults += filter(None, (fault for _, fault in self._lists.values()))
        return lists.keys() == self._lists.keys()

    def _open_store(self, run: AirflowRun) -> ObjectStore:
        """Return the run's folder, reopened now and then and after an error: credentials expire."""
        if self._store is None or time.monotonic() - self._opened > CREDENTIALS_SECONDS:
            planned = run.assignments[0].run
            self._store, self._unread = ObjectStore(planned.output, planned.output_connection), None
            self._opened = time.monotonic()
        return self._store

    def _list(self, store: ObjectStore, datasets: Iterable[str]) -> Iterator[str]:
        """Yield the results that are not counted yet, as the store lists them."""
        listed = self._merge.expected.listed
        for dataset in sorted(datasets):
            if self._merge.counts[dataset] == listed[dataset]:
                continue
            for stored in store.list(run_folder.results_folder(dataset)):
                if self._merge.wants(stored):
                    yield stored.key

    def _count(self, store: ObjectStore, keys: Iterable[str]) -> None:
        for key, raw in store.read_all(keys, MAX_BYTES, self._pass_over):
            self._merge.add(key, raw)

    def _pass_over(self, key: str, error: StorageError) -> None:
        """Skip a result that cannot be read now; too many of them are the store's fault."""
        self._lost.append(str(error))
        if len(self._lost) > LOST:
            raise error

    def _now(self, run: AirflowRun, seen: Snapshot, noted: Iterable[dict[str, Any]]) -> Snapshot:
        """Return the present picture; how many results there are is known from the clusters."""
        jobs = (of_dataset for of_cluster in seen.jobs.values() for of_dataset in of_cluster.values())
        done = sum(of_dataset.get("shards", {}).get("done", 0) for of_dataset in jobs)
        found = max(self._merge.read + len(self._lost), done)
        error = in_words([*self._documents.faults, *self._lost])
        return replace(of_results(self._merge, run, noted, seen), found=found, error=error)


class Followers:
    """The followers of the most recently viewed runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str, str], Follower] = OrderedDict()

    def look(self, run: AirflowRun) -> Snapshot:
        """Return what has been read of a run so far; nothing before it is planned."""
        if not run.assignments:
            return Snapshot()
        key = run.dag_id, run.run.run_id, run.assignments[0].run.output
        with self._lock:
            planned = run.assignments[0].run
            follower = self._known.setdefault(key, Follower(planned.counted, planned.begun))
            self._known.move_to_end(key)
            while len(self._known) > FOLLOWED:
                self._known.popitem(last=False)
        return follower.look(run)

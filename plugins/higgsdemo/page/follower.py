"""Reads a run's folder in the bucket piece by piece, in a thread, for as long as somebody looks at the run.

A request is answered with what has been read so far; only the first one waits a moment, so that it mostly has
a picture to tell of. A pass reads the lists of shards that are new, lists only the datasets of which results
are still to come, and fetches only what it has not counted before. Once a run is merged, two files tell
everything, however many results it has.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, TypeVar

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.catalogue import CatalogueError
from higgsdemo.datasets.expected import ExpectedShards
from higgsdemo.datasets.shards import result_key, shards_key
from higgsdemo.operators.results import catalogue_of
from higgsdemo.page.airflow_run import AirflowRun
from higgsdemo.page.snapshot import Snapshot, account_of, merged
from higgsdemo.page.tally import Tally
from higgsdemo.physics.normalisation import normalise
from higgsdemo.physics.spectra import add_up
from higgsdemo.publication.chart import CHART, chart
from higgsdemo.publication.spectra_plot import own_chart
from higgsdemo.results.document import locate
from higgsdemo.run import RECORD, SUMMARY
from higgsdemo.storage.object_store import ObjectStore, StorageError, StoredObject

FIRST = 64  # results in the first picture, which does not wait until all are listed
BATCH = 256  # results read between two looks at the clock
LISTED = 1000  # objects that a store lists at a time
FIRST_SECONDS = 0.2  # that a request waits for the first picture
PUBLISH_SECONDS = 0.5  # between two pictures of a long read
PAUSE_SECONDS = 1.0  # between two passes, at least
PAUSE_ENDED_SECONDS = 5.0  # the same once the run has ended
IDLE_SECONDS = 30.0  # without a request, after which nothing more is read
CREDENTIALS_SECONDS = 300.0  # for which an open store is used
FOLLOWED = 8  # runs kept in memory
STRAGGLERS = 20  # shards that are named, when no more are left
STRAGGLING = 0.1  # part of all shards that they are at most

Item = TypeVar("Item")


class Follower:
    """Follows one run while it is asked for; `histograms` are those of an analysis of one's own."""

    def __init__(self, histograms: Sequence[HistogramSpec] = ()) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._asked = 0.0
        self._run: AirflowRun | None = None
        self._histograms = histograms
        self._tally = Tally(ExpectedShards(), histograms)
        self._lists: dict[str, StoredObject] = {}
        self._snapshot = Snapshot()
        self._told = threading.Event()
        self._store: ObjectStore | None = None
        self._opened = 0.0
        self._merge: tuple[object, ...] | None = None
        self._account: tuple[list[str], ...] = ()

    def look(self, run: AirflowRun) -> Snapshot:
        """What has been read so far; goes on reading in the background.

        Where nothing has been told yet, it waits `FIRST_SECONDS` for it.
        """
        with self._lock:
            self._run = run
            self._asked = time.monotonic()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._follow, name=f"follow {run.run.run_id}", daemon=True
                )
                self._thread.start()
        self._told.wait(FIRST_SECONDS)
        return self._snapshot

    def _follow(self) -> None:
        try:
            while run := self._wanted():
                began = time.monotonic()
                self._look(run)
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
            self._store = None
            self._tell(replace(self._snapshot, error=str(error)))

    def _tell(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._told.set()

    def _wanted(self) -> AirflowRun | None:
        """The run to read; None when nobody has asked for it lately."""
        with self._lock:
            return self._run if time.monotonic() - self._asked < IDLE_SECONDS else None

    def _pass(self, run: AirflowRun) -> Iterator[Snapshot]:
        """Read what is new, and tell now and then what there is."""
        store = self._open_store(run)
        folder = store.folder()
        files = tuple(sorted(stored.key for stored in folder))
        jobs, failures = _documents(store, "progress"), _documents(store, "failures")
        noted = tuple(failure for of_cluster in failures.values() for failure in of_cluster)
        if run.merged and {CHART, SUMMARY} <= set(files):
            if self._merge != (version := (run.run.ended, *folder)):
                yield merged(store, jobs, noted, files)
                self._merge = version
            return
        self._merge = None
        if RECORD in files and not self._account:
            self._account = account_of(json.loads(store.read(RECORD)).get("predicted"), None)
        self._read_lists(run, store)
        listing = self._unread(store)
        if not self._tally.read and (first := list(islice(listing, FIRST))):
            self._count(store, first)
            if len(first) == FIRST:
                yield self._now(run, jobs, noted, files, self._tally.read, complete=False)
        unread = list(listing)
        found = self._tally.read + len(unread)
        told = time.monotonic()
        for batch in _batches(unread, BATCH):
            self._count(store, batch)
            if time.monotonic() - told > PUBLISH_SECONDS:
                yield self._now(run, jobs, noted, files, found, complete=False)
                told = time.monotonic()
        now = self._now(run, jobs, noted, files, found, complete=True)
        yield replace(now, stragglers=self._stragglers(run))

    def _read_lists(self, run: AirflowRun, store: ObjectStore) -> None:
        """Read the clusters' lists of shards that are new; begin anew where one has been written again."""
        stored = {found.key: found for found in store.list("shards")}
        names = [planned.cluster.name for planned in run.planned]
        lists = {name: stored[shards_key(name)] for name in names if shards_key(name) in stored}
        if any(lists.get(name) != known for name, known in self._lists.items()):
            self._tally, self._lists = Tally(ExpectedShards(), self._histograms), {}
        for name in lists.keys() - self._lists.keys():
            self._tally.expected.read(store, name)
            self._lists[name] = lists[name]

    def _stragglers(self, run: AirflowRun) -> tuple[dict[str, str], ...]:
        """The last shards, by name, once they are few."""
        expected = self._tally.expected
        left = expected.listed.total() - self._tally.read
        if not 0 < left <= min(STRAGGLERS, sum(expected.counts(run.planned).values()) * STRAGGLING):
            return ()
        return tuple(
            {"cluster": cluster, "dataset": dataset, "shard": shard}
            for cluster, datasets in expected.clusters.items()
            for dataset, shards in datasets.items()
            for shard in shards
            if not self._tally.counted(result_key(dataset, shard))
        )

    def _open_store(self, run: AirflowRun) -> ObjectStore:
        """The run's folder, opened anew now and then and after an error: credentials expire."""
        if self._store is None or time.monotonic() - self._opened > CREDENTIALS_SECONDS:
            planned = run.planned[0].run
            self._store = ObjectStore(planned.output, planned.output_connection)
            self._opened = time.monotonic()
        return self._store

    def _unread(self, store: ObjectStore) -> Iterator[str]:
        """The results that are not counted yet, as the store lists them."""
        for dataset, shards in sorted(self._tally.expected.listed.items()):
            if self._tally.shards(dataset) == shards:
                continue
            for listed in _batches(store.list(f"results/{dataset}"), LISTED):
                yield from self._tally.unread(listed)

    def _count(self, store: ObjectStore, keys: Iterable[str]) -> None:
        for key, raw in store.read_all(keys):
            self._tally.add(key, raw)

    def _now(
        self,
        run: AirflowRun,
        jobs: dict[str, Any],
        noted: tuple[Any, ...],
        files: tuple[str, ...],
        found: int,
        complete: bool,
    ) -> Snapshot:
        datasets = {ref.name for planned in run.planned for ref in planned.cluster.datasets}
        return Snapshot(
            counted={name: self._tally.shards(name) for name in datasets},
            finished={name: self._tally.finished(name) for name in datasets},
            jobs=jobs,
            failures=(*noted, *_refused(self._tally)),
            chart=_chart(self._tally, run),
            files=files,
            read=self._tally.read,
            found=found,
            complete=complete,
            account=self._account,
        )


class Followers:
    """The followers of the runs that were looked at last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str, str], Follower] = OrderedDict()

    def look(self, run: AirflowRun) -> Snapshot:
        """What has been read of a run so far; nothing before it is planned."""
        if not run.planned:
            return Snapshot()
        key = run.dag_id, run.run.run_id, run.planned[0].run.output
        with self._lock:
            follower = self._known.setdefault(key, Follower(run.planned[0].run.histograms))
            self._known.move_to_end(key)
            while len(self._known) > FOLLOWED:
                self._known.popitem(last=False)
        return follower.look(run)


def _chart(tally: Tally, run: AirflowRun) -> dict[str, Any]:
    """The plot of what has been read so far."""
    catalogue = catalogue_of(list(run.planned), tally.simulated)
    expected = tally.expected.counts(run.planned)
    if histograms := run.planned[0].run.histograms:
        return own_chart(add_up(tally, histograms, expected), catalogue)
    return chart(normalise(tally, catalogue, expected), catalogue)


def _documents(store: ObjectStore, folder: str) -> dict[str, Any]:
    """The JSON documents in a folder, by the name of their cluster."""
    keys = [stored.key for stored in store.list(folder) if stored.key.endswith(".json")]
    return {
        key.removeprefix(f"{folder}/").removesuffix(".json"): json.loads(raw)
        for key, raw in store.read_all(keys)
    }


def _refused(tally: Tally) -> list[dict[str, Any]]:
    return [
        {"cluster": tally.expected.cluster(key), "dataset": dataset, "shard": shard, "reason": reason}
        for key, reason in tally.refused.items()
        for dataset, shard in [locate(key)]
    ]


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch

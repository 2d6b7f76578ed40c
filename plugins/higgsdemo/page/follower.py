"""Reads a run's folder in the bucket piece by piece, in a thread, for as long as somebody looks at the run.

A request is answered with what has been read so far; only the first one waits a moment, so that it mostly has
a picture to tell of. A pass lists only the datasets of which results are still to come, and fetches only what
it has not counted before. Once a run is merged, two files tell everything, however many results it has.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.catalogue import CatalogueError
from higgsdemo.datasets.shards import cluster_shards, shards_key
from higgsdemo.operators.results import catalogue_of
from higgsdemo.page.airflow_run import AirflowRun
from higgsdemo.page.tally import Tally
from higgsdemo.physics.normalisation import normalise
from higgsdemo.physics.spectra import add_up
from higgsdemo.prediction import Account, account_rows
from higgsdemo.publication.chart import CHART, chart
from higgsdemo.publication.spectra_plot import own_chart
from higgsdemo.run import RECORD
from higgsdemo.storage.object_store import ObjectStore, StorageError

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
SUMMARY = "summary.json"
STRAGGLERS = 20  # shards that are named, when no more are left
STRAGGLING = 0.1  # part of all shards that they are at most

Item = TypeVar("Item")


@dataclass(frozen=True)
class Snapshot:
    """What has been read of a run's folder.

    :param counted: results by dataset.
    :param finished: when shards were finished, by dataset: seconds since 1970, in no order.
    :param jobs: shards and pods by cluster and dataset, as last seen in the clusters.
    :param failures: the failed shards, with their reasons.
    :param found: results in the bucket, those still to be read included.
    :param complete: whether everything there was has been read.
    :param account: what the run should take and, once it is merged, what it took: rows of a table.
    :param stragglers: the last shards without a result, once they are few: cluster, dataset and shard.
    :param error: why the bucket cannot be read.
    """

    counted: dict[str, int] = field(default_factory=dict)
    finished: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: tuple[dict[str, Any], ...] = ()
    chart: dict[str, Any] | None = None
    summary: dict[str, Any] | None = None
    files: tuple[str, ...] = ()
    read: int = 0
    found: int = 0
    complete: bool = False
    account: tuple[list[str], ...] = ()
    stragglers: tuple[dict[str, str], ...] = ()
    error: str | None = None


class Follower:
    """Follows one run while it is asked for; `histograms` are those of an analysis of one's own."""

    def __init__(self, histograms: Sequence[HistogramSpec] = ()) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._asked = 0.0
        self._run: AirflowRun | None = None
        self._tally = Tally(histograms)
        self._snapshot = Snapshot()
        self._told = threading.Event()
        self._store: ObjectStore | None = None
        self._opened = 0.0
        self._merge: tuple[object, ...] | None = None
        self._last: list[dict[str, str]] | None = None
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
                yield _merged(store, jobs, noted, files)
                self._merge = version
            return
        self._merge = None
        if RECORD in files and not self._account:
            self._account = _account(json.loads(store.read(RECORD)).get("predicted"), None)
        listing = self._unread(run, store)
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
        yield replace(now, stragglers=self._stragglers(run, store))

    def _stragglers(self, run: AirflowRun, store: ObjectStore) -> tuple[dict[str, str], ...]:
        """The last shards, by name; the lists of shards are read only once they are few."""
        opened = self._open(run)
        expected = expected_shards(run)
        left = sum(expected[name] - self._tally.shards(name) for name in opened)
        if not 0 < left <= min(STRAGGLERS, sum(expected.values()) * STRAGGLING):
            return ()
        if self._last is None:
            self._last = [
                {"cluster": cluster, "dataset": shard.dataset, "shard": shard.name}
                for cluster in run.listed
                if store.exists(shards_key(cluster))
                for shard in cluster_shards(store, cluster)
                if shard.dataset in opened
            ]
        without = [
            one
            for one in self._last
            if not self._tally.counted(f"results/{one['dataset']}/{one['shard']}.json")
        ]
        self._last = without
        return tuple(self._last)

    def _open_store(self, run: AirflowRun) -> ObjectStore:
        """The run's folder, opened anew now and then and after an error: credentials expire."""
        if self._store is None or time.monotonic() - self._opened > CREDENTIALS_SECONDS:
            planned = run.planned[0].run
            self._store = ObjectStore(planned.output, planned.output_connection)
            self._opened = time.monotonic()
        return self._store

    def _open(self, run: AirflowRun) -> list[str]:
        """The listed datasets of which results are still to come."""
        expected: dict[str, int] = {}
        for listed in run.listed.values():
            for dataset, shards in listed.items():
                expected[dataset] = expected.get(dataset, 0) + shards
        return [name for name, shards in sorted(expected.items()) if self._tally.shards(name) < shards]

    def _unread(self, run: AirflowRun, store: ObjectStore) -> Iterator[str]:
        """The results that are not counted yet, as the store lists them."""
        for dataset in self._open(run):
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


def expected_shards(run: AirflowRun) -> dict[str, int]:
    """Shards by dataset: as listed, else as the plan or the catalogue says; 0 where nobody knows."""
    expected: dict[str, int] = {}
    for planned in run.planned:
        listed = run.listed.get(planned.cluster.name)
        for ref in planned.cluster.datasets:
            counts = [count for count in (ref.max_shards, ref.files) if count is not None]
            shards = listed.get(ref.name, 0) if listed is not None else min(counts, default=0)
            expected[ref.name] = expected.get(ref.name, 0) + shards
    return expected


def _chart(tally: Tally, run: AirflowRun) -> dict[str, Any]:
    """The plot of what has been read so far."""
    catalogue = catalogue_of(list(run.planned), tally.simulated)
    expected = expected_shards(run)
    if histograms := run.planned[0].run.histograms:
        return own_chart(add_up(tally, histograms, expected), catalogue)
    return chart(normalise(tally, catalogue, expected), catalogue)


def _merged(
    store: ObjectStore, jobs: dict[str, Any], noted: tuple[Any, ...], files: tuple[str, ...]
) -> Snapshot:
    """What the files of a merged run tell."""
    summary = json.loads(store.read(SUMMARY))
    counted = {name: dataset["shards"]["done"] for name, dataset in summary["datasets"].items()}
    total = sum(counted.values())
    return Snapshot(
        counted=counted,
        jobs=jobs,
        failures=tuple(summary["failures"]) or noted,
        chart=json.loads(store.read(CHART)),
        summary=summary,
        files=files,
        read=total,
        found=total,
        complete=True,
        account=_account(summary.get("predicted"), summary.get("took")),
    )


def _account(predicted: Any, took: Any) -> tuple[list[str], ...]:
    sides = (Account.model_validate(side) if side else None for side in (predicted, took))
    return tuple(account_rows(*sides))


def _documents(store: ObjectStore, folder: str) -> dict[str, Any]:
    """The JSON documents in a folder, by the name of their cluster."""
    keys = [stored.key for stored in store.list(folder) if stored.key.endswith(".json")]
    return {
        key.removeprefix(f"{folder}/").removesuffix(".json"): json.loads(raw)
        for key, raw in store.read_all(keys)
    }


def _refused(tally: Tally) -> list[dict[str, Any]]:
    parts = ((key.split("/"), reason) for key, reason in tally.refused.items())
    return [
        {"dataset": key[-2], "shard": key[-1].removesuffix(".json"), "reason": reason}
        for key, reason in parts
    ]


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch

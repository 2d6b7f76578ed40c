"""``merge_results`` and ``plot``: from one result per shard to the spectrum that everyone came for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from higgsdemo import run_folder
from higgsdemo.campaign.command import COMMAND
from higgsdemo.links import BucketLink, PageLink, PlotLink
from higgsdemo.operators.base import TaskFailed, fail_in_words, output_store, read_assignment
from higgsdemo.run import ClusterRun, Run
from higgsdemo.tolerance import tell_excess

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from higgsdemo.catalogue import Catalogue
    from higgsdemo.datasets.expected import ExpectedShards
    from higgsdemo.publication.numbers import Numbers
    from higgsdemo.publication.summarise import LeftOut
    from higgsdemo.publication.summary import FailedShard, Summary
    from higgsdemo.results.files import FileLists
    from higgsdemo.results.merge import Merge
    from higgsdemo.storage.object_store import ObjectStore

Content = TypeVar("Content")
LOCAL_COPY = "HIGGS_RESULTS"  # environment variable: a folder that takes a copy of summary and plot


class ResultsOperator(BaseOperator):
    """A task that works on the results of all clusters, including failed ones: on what ``plan`` returned."""

    template_fields = ("assignments",)
    ui_color = "#fbd6db"

    def __init__(self, *, assignments: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.assignments = assignments

    def begin(self) -> list[ClusterRun]:
        """Return the assignments.

        :raises AirflowSkipException: when there is nothing to merge: no plan, or no stage ``submit``.
        """
        assignments = list(map(read_assignment, self.assignments or []))
        if not assignments or "submit" not in assignments[0].run.stages:
            raise AirflowSkipException("this run has submitted nothing")
        return assignments

    def keep(self, store: ObjectStore, assignment: ClusterRun, key: str, content: bytes | Path) -> str:
        """Write content or a file to the run's folder, and a copy to where ``HIGGS_RESULTS`` points."""
        run = assignment.run
        if folder := os.environ.get(LOCAL_COPY):
            local = Path(folder, run.campaign, run.name, key)
            local.parent.mkdir(parents=True, exist_ok=True)
            local.write_bytes(content.read_bytes() if isinstance(content, Path) else content)
        return store.upload(key, content) if isinstance(content, Path) else store.write(key, content)


class MergeResultsOperator(ResultsOperator):
    """Count every shard's result once, and write the numbers: merge, spectrum, summary and their exports."""

    operator_extra_links = (PageLink(), BucketLink())

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the summary's URL, its counts of shards, and where more of them failed than may."""
        from higgsdemo.datasets.expected import ExpectedShards
        from higgsdemo.prediction import account_table
        from higgsdemo.publication.yields_table import yields_table
        from higgsdemo.results.files import FileLists

        assignments = self.begin()
        run = assignments[0].run
        with fail_in_words(), FileLists.of(run) as files:
            store = output_store(assignments[0])
            expected = ExpectedShards.of(store, assignments)
            summary = self._summarise(store, expected, assignments, files, context["dag_run"].start_date)
            if run.workload == COMMAND:
                self.log.info("%d files with %d bytes", files.count, files.bytes)
                for name, path in files.written().items():
                    self.keep(store, assignments[0], name, path)
            url = self.keep(store, assignments[0], run_folder.SUMMARY, summary.to_json())
        self.log.info("%s\n%s", url, yields_table(summary))
        self.log.info("What the run took:\n%s", account_table(summary.predicted, summary.took))
        return {
            "summary": url,
            "shards": summary.shards.model_dump(),
            "excess": _excess(run, expected),
        }

    def _summarise(
        self,
        store: ObjectStore,
        expected: ExpectedShards,
        assignments: list[ClusterRun],
        files: FileLists,
        started: datetime | None,
    ) -> Summary:
        """Merge the results, write what the page and the plot read, and return the summary."""
        from higgsdemo.datasets.run_catalogue import catalogue_of
        from higgsdemo.datasets.section_luminosity import certified_luminosity
        from higgsdemo.prediction import measure, took
        from higgsdemo.publication.numbers import numbers_of
        from higgsdemo.publication.summarise import summarise
        from higgsdemo.publication.summary import RUN_RECORD, RunRecord
        from higgsdemo.rates import keep_rates
        from higgsdemo.results.sums import saved_sums

        run, clusters = assignments[0].run, [assignment.cluster for assignment in assignments]
        record = self._believed(store, run_folder.RECORD, RUN_RECORD) or RunRecord()
        merge, left_out = _merged(store, expected, assignments, record.planned, files)
        listed = [list(expected.clusters.get(one.name, {}).values()) for one in clusters]
        if rates := measure(run, clusters, listed, merge.work):
            keep_rates(run, rates)
        catalogue = catalogue_of(assignments, merge.simulated)
        numbers = numbers_of(run.counted, merge, catalogue, expected.counts(assignments))
        store.write(run_folder.SUMS, saved_sums(run.counted).dump_json(numbers.sums))
        store.write(run_folder.CORRUPT, json.dumps(list(merge.corrupt)).encode())
        store.write(run_folder.CHART, json.dumps(numbers.chart).encode())
        self._export(store, assignments[0], numbers, merge, catalogue)
        refs = (ref for one in assignments for ref in one.cluster.datasets)
        return summarise(
            run.campaign,
            run.name,
            catalogue,
            merge,
            numbers.spectrum,
            [cluster.name for cluster in clusters],
            left_out,
            self._failures(store, assignments),
            discovery=numbers.discovery,
            candidates=numbers.candidates,
            started=started,
            finished=datetime.now(UTC),
            predicted=record.predicted,
            took=took(run, merge.work, clusters),
            certified_pb=certified_luminosity(store, refs, catalogue),
        )

    def _export(
        self, store: ObjectStore, assignment: ClusterRun, numbers: Numbers, merge: Merge, catalogue: Catalogue
    ) -> None:
        """Write the spectrum in the field's formats, and the candidates that the results name."""
        for name, content in numbers.exports.items():
            self.keep(store, assignment, name, content)
        if numbers.candidates and numbers.candidates.events:
            with TemporaryDirectory() as folder:
                path = merge.candidates.write(Path(folder, run_folder.CANDIDATES), catalogue)
                self.keep(store, assignment, run_folder.CANDIDATES, path)

    def _failures(self, store: ObjectStore, assignments: list[ClusterRun]) -> list[FailedShard]:
        """Return what the clusters' tasks have noted of failed shards."""
        from higgsdemo.publication.summary import FAILURES

        keys = (run_folder.failures_key(assignment.cluster.name) for assignment in assignments)
        return [failure for key in keys for failure in self._believed(store, key, FAILURES) or ()]

    def _believed(self, store: ObjectStore, key: str, kind: TypeAdapter[Content]) -> Content | None:
        """Return a document that the numbers can do without; None, and a warning, where it is damaged."""
        from higgsdemo.storage.documents import read_document
        from higgsdemo.storage.object_store import DamagedError

        try:
            return read_document(store, key, kind) if store.exists(key) else None
        except DamagedError as error:
            self.log.warning("%s: it is left out", error)
            return None


class PlotOperator(ResultsOperator):
    """Draw the mass spectrum, or the histograms of an own analysis, as PNG and SVG; tell who waits for it."""

    operator_extra_links = (PageLink(), PlotLink())

    def execute(self, context: Context) -> dict[str, Any]:
        from higgsdemo.datasets.expected import clusters_with_list, count_shards
        from higgsdemo.datasets.run_catalogue import SIMULATED, catalogue_of
        from higgsdemo.publication.figures import figures_of
        from higgsdemo.publication.lettering import render
        from higgsdemo.publication.summary import HEADLINE
        from higgsdemo.results.sums import saved_sums
        from higgsdemo.storage.documents import read_document
        from higgsdemo.storage.object_store import DamagedError

        assignments = self.begin()
        run = assignments[0].run
        if run.counted == []:
            raise AirflowSkipException("this campaign describes no histograms")
        with fail_in_words():
            store = output_store(assignments[0])
            try:
                sums = read_document(store, run_folder.SUMS, saved_sums(run.counted))
            except DamagedError as error:
                raise TaskFailed(f"{error}; clear merge_results") from None
            headline = read_document(store, run_folder.SUMMARY, HEADLINE)
            clusters = clusters_with_list(store, assignments)
        listed = {name: dataset.shards.expected for name, dataset in headline.datasets.items()}
        counts = count_shards(listed, clusters, assignments)
        catalogue = catalogue_of(assignments, headline.note == SIMULATED)
        figures = figures_of(run, sums, catalogue, counts, headline.discovery)
        with fail_in_words():
            urls = [
                self.keep(store, assignments[0], f"{name}.{ending}", content)
                for name, figure in figures.items()
                for ending, content in render(figure).items()
            ]
        self.log.info("the plot: %s", " ".join(urls))
        for asset in self.outlets:
            context["outlet_events"][asset].extra = {"run": run.name, "folder": store.url}
        return {"plot": urls}


def _merged(
    store: ObjectStore,
    expected: ExpectedShards,
    assignments: list[ClusterRun],
    since: datetime | None,
    files: FileLists,
) -> tuple[Merge, LeftOut]:
    """Read the results of expected shards into a merge and `files`; return as well what others there are."""
    from higgsdemo.publication.summarise import LeftOut
    from higgsdemo.results.merge import Merge
    from higgsdemo.results.parsing import MAX_BYTES

    merge, left_out = Merge(expected, assignments[0].run.counted, since), LeftOut()

    def keys() -> Iterator[str]:
        for dataset in sorted(
            {ref.name for assignment in assignments for ref in assignment.cluster.datasets}
        ):
            for stored in store.list(run_folder.results_folder(dataset)):
                if merge.wants(stored):
                    yield stored.key
                elif not expected.find(stored.key):
                    left_out.add(dataset, stored.key)

    for key, raw in store.read_all(keys(), MAX_BYTES):
        if document := merge.add(key, raw):
            files.add(key, document)
    return merge, left_out


def _excess(run: Run, expected: ExpectedShards) -> list[str]:
    """Say on which clusters more shards than may are without a result that counts: some may be corrupt."""
    excess = []
    for cluster, listed in expected.clusters.items():
        failed = {name: shards - expected.counted[cluster][name] for name, shards in listed.items()}
        if why := tell_excess(run, failed, listed):
            excess.append(f"cluster {cluster}: {why}")
    return excess

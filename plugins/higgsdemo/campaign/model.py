"""A campaign: which datasets run on which clusters with which image, and where results go.

One file of `include/config/` is one campaign and one DAG. The model is what the file may have; `clusters()`
resolves it, with defaults filled in and datasets found in the catalogue.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Self

from pydantic import Field, PrivateAttr

from higgsdemo.campaign import fields
from higgsdemo.campaign.analysis import unfit_histograms
from higgsdemo.campaign.at_trigger import AtTrigger
from higgsdemo.campaign.cluster import Cluster
from higgsdemo.campaign.command import BESIDE, COMMAND, NEEDED, OF_WORKLOADS
from higgsdemo.campaign.datasets import DatasetRef
from higgsdemo.campaign.entries import WRITTEN_AS, ClusterDefaults, ClusterEntry, DatasetReference
from higgsdemo.campaign.notifications import Notifications
from higgsdemo.campaign.overlap import Placed, placed_datasets
from higgsdemo.campaign.problems import CampaignError, Problem
from higgsdemo.campaign.resolve import resolve_clusters
from higgsdemo.campaign.settings import Settings
from higgsdemo.campaign.storage import Storage
from higgsdemo.catalogue import UNASSIGNED, CatalogueError, load_catalogue
from higgsdemo.wording import one_of, quote


class Campaign(Settings):
    """One container run over every file of a list of datasets, on one or many Kubernetes clusters."""

    schema_: fields.Prose | None = Field(None, alias="$schema", title="Schema")
    """The JSON Schema that editors check this file with."""
    title: fields.Line = ""
    """Shown with the DAG and on the plot."""
    description: fields.Prose = ""
    """Shown with the DAG; Markdown."""
    namespace: fields.Namespace = "higgs"
    """Kubernetes namespace of the pods."""
    storage: Storage
    """Where shards are read and results are written."""
    schedule: fields.Schedule | None = None
    """When the campaign runs by itself: a cron expression (UTC) or a preset such as `@daily`; by default only
    on demand. A saved file waits for the next slot; only `@once` and `@continuous` begin at once.
    """
    growing: bool = Field(False, title="Growing datasets")
    """All runs share one folder, and each processes only files without a result there, as for a schedule over
    growing datasets. By default each run starts anew.
    """
    at_trigger: AtTrigger = Field(default_factory=AtTrigger, title="At the trigger")
    """What a trigger's conf may choose, beyond this file, that decides where credentials go or what costs
    money. Nothing by default.
    """
    worker_identity: list[fields.Connection] = Field([], examples=[["aws_default"]])
    """Airflow connections to Amazon and Google without keys, with which Airflow uses the identity of its
    workers: an instance's role, a workload identity, keys of their environment. Other connections need keys,
    and pods never get the workers'.
    """
    notifications: Notifications = Field(default_factory=Notifications)
    """Airflow's notifiers for the end of a run."""
    defaults: ClusterDefaults = Field(default_factory=ClusterDefaults)
    """Values shared by the entries of the mapping."""
    mapping: list[ClusterEntry] = Field(min_length=1)
    """The clusters, each with the datasets it runs."""
    datasets: list[DatasetReference] | None = Field(
        None,
        min_length=1,
        title="Datasets",
        description=f"Datasets that are split over all clusters: {WRITTEN_AS}. The entries of the mapping "
        "then have none.",
    )
    split: fields.Split | None = None
    """How to split `datasets` over the clusters: `by-bytes`, in proportion to their cores."""

    _remarks: tuple[str, ...] = PrivateAttr(())

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was dropped from the campaign's file, and what its records are."""
        return self._remarks

    def remark(self, *remarks: str) -> None:
        self._remarks += remarks

    def clusters(self) -> list[Cluster]:
        """Return the clusters, resolved; without datasets where these are shared out (`shared_datasets`).

        :raises CampaignError: when that is impossible; never for a campaign that was just loaded.
        """
        return list(self.resolved[0])

    def shared_datasets(self) -> tuple[DatasetRef, ...]:
        """Return the datasets to split over all clusters, if any; raise CampaignError as `clusters` does."""
        return self.resolved[1]

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with some changes, to be resolved again."""
        copied = super().model_copy(update=update, deep=deep)
        vars(copied).pop("resolved", None)
        return copied

    @cached_property
    def resolved(self) -> tuple[list[Cluster], tuple[DatasetRef, ...]]:
        """The result of `clusters` and `shared_datasets`, found once."""
        try:
            catalogue = load_catalogue(self.catalogue)
        except CatalogueError as error:
            raise CampaignError("campaign", [Problem(("catalogue",), f"cannot be used: {error}")]) from None
        clusters, shared, problems = resolve_clusters(
            self.mapping, self.defaults, self.namespace, self.storage, catalogue, self.datasets
        )
        problems += self._split_problems()
        if self.compare is not None and self.compare not in catalogue.published:
            there = one_of(catalogue.published) if catalogue.published else "none"
            text = f"is {quote(self.compare)}: of published spectra, {quote(self.catalogue)} has {there}"
            problems.append(Problem(("compare",), text))
        placed = placed_datasets(clusters, shared)
        problems += [
            *self._results_among_shards(placed),
            *(() if problems else self._unfit_for_aod(placed)),
            *self._unfit_to_workload(),
            *self._unfit_to_stream(),
            *self.notifications.credentials(),
        ]
        if problems:
            raise CampaignError("campaign", problems)
        return clusters, shared

    def _unfit_to_workload(self) -> Iterator[Problem]:
        """Return the problems of fields that only other workloads have, and of those that this one lacks."""
        for name, workloads in OF_WORKLOADS.items():
            if self.workload not in workloads and getattr(self, name):
                text = f'is only for the workload {one_of(workloads)}; this one is "{self.workload}"'
                yield Problem((name,), text)
        for name in NEEDED.get(self.workload, ()):
            if not getattr(self, name):
                yield Problem((name,), f'is missing, which the workload "{self.workload}" needs')
        yield from unfit_histograms(self.histograms, in_files=self.workload == COMMAND)

    def _unfit_to_stream(self) -> Iterator[Problem]:
        """Return the problems of fields that only apply to pods that stream, and of pods that cannot."""
        if self.read == "stream" and self.workload in BESIDE:
            text = f'is "stream"; the workload {self.workload} reads local files: it must be "stage-in"'
            yield Problem(("read",), text)
        if self.shard_events is not None and self.read != "stream" and self.workload != COMMAND:
            text = 'cuts files into shards, which pods can only "stream": set the field "read" so'
            yield Problem(("shard_events",), text)

    def _split_problems(self) -> Iterator[Problem]:
        if self.datasets and not self.split:
            yield Problem((), 'needs the field "split": "by-bytes" to share its datasets out')
        if self.split and not self.datasets:
            yield Problem((), 'needs the field "datasets": what is to be split over the clusters')

    def _unfit_for_aod(self, placed: Sequence[Placed]) -> Iterator[Problem]:
        """Return the problems of the CMSSW image, which must know the kind of its files."""
        for one in placed if self.workload == "aod" else ():
            if one.ref.sample == UNASSIGNED:
                text = "belongs to no sample, which the workload aod needs to know: give it one (sample)"
                yield Problem(one.path, text)

    def _results_among_shards(self, placed: Sequence[Placed]) -> Iterator[Problem]:
        output = self.storage.output
        for url in {one.ref.url for one in placed if one.ref.index is None}:
            if f"{output}/".startswith(url):
                text = f"is {quote(output)}, which is inside the dataset {quote(url)}"
                yield Problem(("storage", "output"), f"{text}: results would be taken for shards")

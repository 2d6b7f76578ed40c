"""A campaign: which datasets run on which clusters with which image, and where results go.

One file of `include/config/` is one campaign and one DAG. The model is what the file may say; `clusters()` is
what it comes to, with defaults filled in and datasets found in the catalogue.
"""

from collections.abc import Iterator, Sequence

from pydantic import Field, PrivateAttr

from higgsdemo.campaign.analysis import HistogramSpec, unfit_histograms
from higgsdemo.campaign.at_trigger import AtTrigger
from higgsdemo.campaign.cluster import Cluster
from higgsdemo.campaign.clusters import Input, resolve_clusters
from higgsdemo.campaign.datasets import DatasetRef
from higgsdemo.campaign.entries import (
    WRITTEN_AS,
    ClusterDefaults,
    ClusterEntry,
    DatasetEntry,
    DatasetReference,
    Resources,
)
from higgsdemo.campaign.fields import (
    CatalogueName,
    Cleanup,
    CleanupChoice,
    Connection,
    Hours,
    Image,
    IncompleteChoice,
    Line,
    Namespace,
    OnCancelChoice,
    Prose,
    Provider,
    ReadChoice,
    Schedule,
    SplitChoice,
    Tolerance,
    Whole,
    Workload,
)
from higgsdemo.campaign.messages import CampaignError, Problem
from higgsdemo.campaign.notifications import Notifications
from higgsdemo.campaign.overlap import Placed, placed_datasets
from higgsdemo.campaign.rule import Model
from higgsdemo.campaign.storage import Storage
from higgsdemo.catalogue import UNASSIGNED, CatalogueError, load_catalogue
from higgsdemo.wording import given

__all__ = [
    "Campaign",
    "Cleanup",
    "Cluster",
    "ClusterDefaults",
    "ClusterEntry",
    "DatasetEntry",
    "DatasetRef",
    "Provider",
    "Resources",
    "Storage",
]


class Campaign(Model):
    """One container run over every file of a list of datasets, on one or many Kubernetes clusters."""

    schema_: Prose | None = Field(
        None,
        alias="$schema",
        title="Schema",
        description="The JSON Schema that editors check this file with.",
    )
    title: Line = Field("", title="Title", description="Shown with the DAG and on the plot.")
    description: Prose = Field("", title="Description", description="Shown with the DAG; Markdown.")
    catalogue: CatalogueName = Field(
        "cms-higgs",
        title="Catalogue",
        description="Directory of `include/datasets` that describes the datasets.",
    )
    workload: Workload = Field(
        "nanoaod",
        title="Workload",
        description="What the pods run: `nanoaod` (ours, reduced NanoAOD files; `nanoaod-outreach` with the "
        "selection of the outreach example of these files), `aod` (CMSSW, AOD files), or an analysis of your "
        "`own`, which needs `image` and `histograms`.",
    )
    histograms: list[HistogramSpec] = Field(
        [],
        title="Histograms",
        description="With the workload `own`: the histograms in its result documents.",
        examples=[[{"name": "mass", "bins": 60, "low": 60, "high": 120, "label": "Dimuon mass [GeV]"}]],
    )
    image: Image | None = Field(
        None,
        title="Image",
        description="The image of the pods; the workload's by default. Ours is in no registry: name the one "
        "that you have pushed, unless the nodes have it (`image_pull_policy`).",
        examples=["higgsdemo/nanoaod:1"],
    )
    stage_in_image: Image | None = Field(
        None,
        title="Stage-in image",
        description="With the workload `aod`: the image that stages in and publishes for it; the one of the "
        "workload `nanoaod` by default, which is in no registry either.",
    )
    namespace: Namespace = Field("higgs", title="Namespace", description="Kubernetes namespace of the pods.")
    storage: Storage = Field(title="Storage", description="Where shards are read and results are written.")
    schedule: Schedule | None = Field(
        None,
        title="Schedule",
        description="When the campaign runs by itself: a cron expression (UTC) or a preset such as `@daily`; "
        "by default only on demand. A file that is saved waits for the next time; only `@once` and "
        "`@continuous` begin at once.",
    )
    growing: bool = Field(
        False,
        title="Growing datasets",
        description="Every run goes on with the same folder and processes only files that have no result "
        "there yet, such as a schedule finds in datasets that grow. Other runs begin anew.",
    )
    cleanup: CleanupChoice = Field(
        "none",
        title="Cleanup",
        description="What is removed at the end: `none`, the `jobs`, or the `clusters`.",
    )
    approve_delete: bool = Field(
        True,
        title="Approval of deletion",
        description="Whether a run that somebody has triggered asks in the web interface before it deletes "
        "clusters in which shards still run; after an hour without an answer they are deleted.",
    )
    tolerance: Tolerance = Field(
        0,
        title="Tolerance",
        description="Failed shards that a cluster may have: a number, or a fraction of its shards below 1.",
        examples=[0, 0.01],
    )
    dataset_tolerance: Tolerance | None = Field(
        None,
        title="Tolerance of a dataset",
        description="Failed shards that each dataset may have besides: a number, or a fraction of its shards "
        "below 1; by default only those of the cluster are counted.",
        examples=[5, 0.05],
    )
    incomplete: IncompleteChoice = Field(
        "fail",
        title="Incomplete datasets",
        description="When a dataset's listing is empty, or has another number of files than the catalogue: "
        "`fail`, or `warn` and go on with what is there.",
    )
    max_hours: Hours | None = Field(
        None,
        title="Longest time",
        description="Hours after its start that a run is ended: what it waits for is given up, its Jobs are "
        "stopped, and cleanup follows; no limit by default.",
        examples=[2],
    )
    max_idle_hours: Hours = Field(
        0.5,
        title="Longest time without a running pod",
        description="Hours without one running pod after which a cluster's Jobs are stopped, with the reason "
        "that the cluster gives; four times as long while its nodes are added or a queue holds the Jobs.",
        examples=[0.5],
    )
    on_cancel: OnCancelChoice = Field(
        "stop",
        title="When cancelled",
        description="What becomes of the Jobs of a task that somebody marks as failed or successful: `stop` "
        "them, to be gone on with when the task is cleared, or `release` them, to run to their end.",
    )
    download_limit_kbps: Whole | None = Field(
        None,
        title="Download limit",
        description="Bandwidth of one pod's stage-in in kB/s; unlimited by default.",
    )
    read: ReadChoice = Field(
        "stage-in",
        title="Read",
        description="How pods read a shard: `stage-in` copies the file to the pod first, `stream` asks for "
        "the events and branches it needs where the file lies. A trigger that says `stage-in` drops the "
        "file's `shard_events`.",
    )
    shard_events: Whole | None = Field(
        None,
        title="Events a shard",
        description="With `read` as `stream`: files are cut into shards of about so many events, so that "
        "many pods work on one. A file is one shard by default.",
        examples=[500000],
    )
    at_trigger: AtTrigger = Field(
        default_factory=AtTrigger,
        title="At the trigger",
        description="What a trigger's conf may choose that this file does not name: of what decides where "
        "credentials go, and what costs money. Nothing by default.",
    )
    worker_identity: list[Connection] = Field(
        [],
        title="Worker identity",
        description="Airflow connections to Amazon and Google that have no keys of their own, and with which "
        "Airflow is whoever its workers are: an instance's role, a workload identity, keys of their "
        "environment. No other connection may be without, and pods never get these keys.",
        examples=[["aws_default"]],
    )
    notifications: Notifications = Field(
        default_factory=Notifications,
        title="Notifications",
        description="Which of Airflow's notifiers tell whom that a run has ended.",
    )
    defaults: ClusterDefaults = Field(
        default_factory=ClusterDefaults,
        title="Defaults",
        description="What the entries of the mapping share.",
    )
    mapping: list[ClusterEntry] = Field(
        min_length=1, title="Mapping", description="The clusters, each with the datasets it runs."
    )
    datasets: list[DatasetReference] | None = Field(
        None,
        min_length=1,
        title="Datasets",
        description=f"What all clusters run together, each its share of the files: {WRITTEN_AS}. The entries "
        "of the mapping then have no datasets of their own.",
    )
    split: SplitChoice | None = Field(
        None,
        title="Split",
        description="How `datasets` are shared out: `by-bytes`, so that each cluster gets bytes in "
        "proportion to its cores.",
    )

    _remarks: tuple[str, ...] = PrivateAttr(())

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was dropped of the campaign as its file has it."""
        return self._remarks

    def remark(self, *remarks: str) -> None:
        """Add remarks."""
        self._remarks += remarks

    def clusters(self) -> list[Cluster]:
        """Give the clusters with defaults filled in and datasets found.

        Where the campaign splits its datasets the clusters have none yet: see `shared_datasets`.

        Raises CampaignError if that cannot be done; never for a campaign that was just loaded.
        """
        return self._resolved()[0]

    def shared_datasets(self) -> tuple[DatasetRef, ...]:
        """Give the datasets that are to be split over all clusters; none where each has its own.

        Raises CampaignError as `clusters` does.
        """
        return self._resolved()[1]

    def _resolved(self) -> tuple[list[Cluster], tuple[DatasetRef, ...]]:
        try:
            catalogue = load_catalogue(self.catalogue)
        except CatalogueError as error:
            raise CampaignError("campaign", [Problem(("catalogue",), f"cannot be used: {error}")]) from None
        clusters, shared, problems = resolve_clusters(
            self.mapping,
            self.defaults,
            self.namespace,
            Input(self.storage.input, self.storage.connection, self.storage.pod_endpoint),
            catalogue,
            self.datasets,
        )
        problems += self._split_problems()
        placed = placed_datasets(clusters, shared)
        problems = problems or [
            *self._results_among_shards(placed),
            *self._unfit_for_aod(clusters, placed),
            *self._unfit_for_own(),
            *self._unfit_to_stream(),
            *self.notifications.credentials(),
        ]
        if problems:
            raise CampaignError("campaign", problems)
        return clusters, shared

    def _unfit_for_own(self) -> Iterator[Problem]:
        """Say what only an analysis of one's own needs, and what it lacks."""
        if self.workload != "own":
            if self.histograms:
                yield Problem(("histograms",), f'belong to the workload "own"; this one is "{self.workload}"')
            return
        if self.image is None:
            yield Problem(("image",), 'is missing: the workload "own" is the image that you name')
        if not self.histograms:
            yield Problem(("histograms",), 'are missing: say which the results of the workload "own" have')
        yield from unfit_histograms(self.histograms)

    def _unfit_to_stream(self) -> Iterator[Problem]:
        """Say what only pods that stream can do, and which cannot."""
        if self.read == "stream" and self.workload == "aod":
            yield Problem(("read",), 'is "stream"; the workload aod reads local files: it must be "stage-in"')
        if self.shard_events is not None and self.read != "stream":
            text = 'cuts files into shards, which pods can only "stream": set the field "read" so'
            yield Problem(("shard_events",), text)

    def _split_problems(self) -> Iterator[Problem]:
        if self.datasets and not self.split:
            yield Problem((), 'needs the field "split": "by-bytes" to share its datasets out')
        if self.split and not self.datasets:
            yield Problem((), 'needs the field "datasets": what is to be split over the clusters')

    def _unfit_for_aod(self, clusters: Sequence[Cluster], placed: Sequence[Placed]) -> Iterator[Problem]:
        """Say what the CMSSW image cannot do: it takes one file, and must know what it is."""
        if self.workload != "aod":
            return
        for position, cluster in enumerate(clusters):
            if cluster.shards_per_pod not in (1, "auto"):
                text = f"is {cluster.shards_per_pod}; with the workload aod it must be 1"
                yield Problem(("mapping", position, "shards_per_pod"), text)
        for one in placed:
            if one.ref.sample == UNASSIGNED:
                text = "belongs to no sample, which the workload aod needs to know: give it one (sample)"
                yield Problem(one.path, text)

    def _results_among_shards(self, placed: Sequence[Placed]) -> Iterator[Problem]:
        output = self.storage.output
        for url in {one.ref.url for one in placed if one.ref.index is None}:
            if f"{output}/".startswith(url):
                text = f"is {given(output)}, which lies inside the dataset {given(url)}"
                yield Problem(("storage", "output"), f"{text}: results would be taken for shards")

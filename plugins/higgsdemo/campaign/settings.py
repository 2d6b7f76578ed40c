"""The settings that a campaign passes to each of its runs unchanged: declared only here."""

from pydantic import Field

from higgsdemo.campaign import fields
from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.campaign.command import COUNTED
from higgsdemo.campaign.rule import Model


class Settings(Model):
    """What a campaign and its runs share."""

    catalogue: fields.CatalogueName = "cms-higgs"
    """Directory of `include/datasets` that describes the datasets."""
    compare: fields.Line | None = Field(None, examples=["published"])
    """A file of the catalogue, without `.yaml`: published events that the plot shows beside the data."""
    workload: fields.Workload = "nanoaod"
    """What the pods run: `nanoaod` (ours, reduced NanoAOD files; `nanoaod-outreach` with the selection of the
    outreach example of these files, `nanoaod-v9` with that of full NanoAOD of 2016), `aod` (CMSSW, AOD
    files), a `command` that any image runs on local files (docs/any-image.md), or an analysis of your `own`,
    which reads and writes the stores itself and needs `image` and `histograms`.
    """
    histograms: list[HistogramSpec] = Field(
        [], examples=[[{"name": "mass", "bins": 60, "low": 60, "high": 120, "label": "Dimuon mass [GeV]"}]]
    )
    """With the workloads `own` and `command`: the histograms in the result documents."""
    triggers: list[fields.Trigger] = Field([], max_length=32, examples=[["HLT_IsoMu24", "HLT_IsoTkMu24"]])
    """With the workloads `nanoaod`: branches of trigger bits, of which an event needs at least one. Each file
    must have them all. By default no bit is asked for.
    """
    image: fields.Image | None = Field(None, examples=["higgsdemo/nanoaod:1"])
    """The image of the pods; the workload's by default. No registry has ours: name an image that you have
    pushed, unless the nodes have it (`image_pull_policy`).
    """
    stage_in_image: fields.Image | None = Field(None, title="Stage-in image")
    """With the workloads `aod` and `command`: the image that stages in and publishes beside it; by default
    the one of the workload `nanoaod`, which no registry has either.
    """
    command: fields.Command | None = Field(None, examples=['skim "$INPUT_FILE" "$OUTPUT_DIR/skim.root"'])
    """With the workload `command`: what the image runs for each shard. A text is a line for its `/bin/sh`;
    of a list, the first word is the program.
    """
    env: fields.Variables = Field({}, title="Environment", examples=[{"CHANNEL": "muons"}])
    """Environment variables of the command. Never secrets: everybody may read them."""
    outputs: list[fields.Glob] | None = Field(None, min_length=1, examples=[["*.root", "tables/*.csv"]])
    """Which files below `OUTPUT_DIR` are kept; `*` also stands for `/`. All by default. A shard of
    which no file matches has failed.
    """
    bad_input_codes: list[fields.ExitCode] | None = Field(
        None, title="Exit codes of bad input", examples=[[65]]
    )
    """Exit codes that mean that the input is bad and no other try can help. For an image of your `own` 65 by
    default, for a `command` none.
    """
    max_output_gb: fields.Gigabytes | None = Field(None, title="Largest output", examples=[2])
    """Size of the files of one shard of a `command`, in GB, above which it fails; no limit by default."""
    logs: bool = False
    """Keep what the command prints for each shard, compressed, beside its files."""
    run_as: fields.RunAs | None = Field(None, title="User")
    """`image`: run the command as the image's own user, which may be root, with a root file system that can
    be written. By default as a user without rights.
    """
    cleanup: fields.Cleanup = "none"
    """What is removed at the end: `none`, the `jobs`, or the `clusters`, each once its share is done."""
    approve_delete: bool = Field(True, title="Approval of deletion")
    """Whether a run triggered by hand asks in the web interface before it deletes clusters in which shards
    still run; after an hour without an answer they are deleted.
    """
    tolerance: fields.Tolerance = Field(0, examples=[0, 0.01])
    """Failed shards that a cluster may have: a number, or a fraction (below 1) of its shards."""
    dataset_tolerance: fields.Tolerance | None = Field(
        None, title="Tolerance of a dataset", examples=[5, 0.05]
    )
    """Failed shards that each dataset may have, in addition to the cluster's limit: a number, or a fraction
    (below 1) of its shards; no limit by default.
    """
    race_stragglers: fields.Tolerance = Field(0, title="Stragglers to race", examples=[0.03])
    """How many of a cluster's last shards, a number or a fraction (below 1), get a second attempt where their
    pods have run for 1.5 times as long as usual; the first result counts. The last pod gets one in any case.
    By default there are none, since they cost these pods twice.
    """
    incomplete: fields.Incomplete = Field("fail", title="Incomplete datasets")
    """When a dataset's listing is empty, or has another number of files than the catalogue: `fail`, or `warn`
    and go on with the existing files.
    """
    max_hours: fields.Hours | None = Field(None, title="Longest time", examples=[2])
    """Hours after which a run ends: its waits end, its Jobs are stopped, and cleanup follows; no limit by
    default.
    """
    max_idle_hours: fields.Hours = Field(0.5, title="Longest time without a running pod", examples=[0.5])
    """Hours without a running pod after which a cluster's Jobs are stopped, with the reason that the cluster
    gives; four times as long while nodes are added or a queue holds the Jobs.
    """
    on_cancel: fields.OnCancel = Field("stop", title="When cancelled")
    """What happens to the Jobs of a task that somebody marks as failed or successful: `stop` them until the
    task is cleared, or `release` them to run to their end.
    """
    download_limit_kbps: fields.Whole | None = Field(None, title="Download limit")
    """Bandwidth of one pod's stage-in in kB/s; unlimited by default."""
    read: fields.Read = "stage-in"
    """How pods read a shard: `stage-in` copies the file to the pod first, `stream` reads only the needed
    events and branches from the store. A trigger with `stage-in` drops the file's `shard_events`.
    """
    shard_events: fields.Whole | None = Field(None, title="Events a shard", examples=[500000])
    """With `read` as `stream`, or a `command`: cuts files into shards of about this many events, so that many
    pods work on one file. By default a file is one shard.
    """

    @property
    def counted(self) -> list[HistogramSpec] | None:
        """The histograms in the results; None where these are of the four-lepton analysis."""
        return self.histograms if self.workload in COUNTED else None

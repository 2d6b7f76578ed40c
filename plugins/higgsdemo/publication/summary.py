"""The summary of a run, `summary.json`: what was requested, what was done, and the yields.

It is for people and programs that have only this file: counts are exact, names of shards are listed up to a
limit, and all text from outside is printable and on one line.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, TypeAdapter

from higgsdemo.physics.discovery import Discovery
from higgsdemo.physics.exposure import Exposure
from higgsdemo.physics.yields import Yields
from higgsdemo.prediction import Account
from higgsdemo.results.candidates import CandidateTable
from higgsdemo.wording import printable

Text = Annotated[str, AfterValidator(printable)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ShardCounts(_Part):
    """Shards of a run, a cluster or a dataset: `expected` = `done` + `failed` + `missing`."""

    expected: int
    done: int
    """Shards whose result is counted."""
    failed: int
    """Shards without a result, for a known reason."""
    missing: int
    """Shards without a result or a reason: not started, or not finished when the run was merged."""


class FailedShard(_Part):
    """A shard without a result: where it ran, why it failed, and the end of its log if there is one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cluster: Text
    dataset: Text
    shard: Text
    url: Text | None = None
    reason: Text
    log: tuple[Text, ...] = ()


class Work(_Part):
    """What the pods did: events read, bytes staged in, and wall-clock seconds of stage-in and selection."""

    events: int
    bytes: int
    stage_in_seconds: float
    compute_seconds: float
    checked_events: int = 0
    """Events of data of which only the certified ones count."""
    certified_events: int = 0
    """These."""
    test_mode_shards: int
    """Shards that were downloaded and discarded: done, but in no yield."""


class DataIntervals(_Part):
    """Poisson (Garwood) intervals of 68% of the data's yields: the means that they are compatible with."""

    total: tuple[float, float]
    window: tuple[float, float]


class DatasetSummary(_Part):
    """One dataset: its sample and group in the catalogue, if it has one, its shards and the work done."""

    sample: str | None
    group: str | None
    shards: ShardCounts
    work: Work


class Summary(_Part):
    """The content of summary.json."""

    campaign: str
    run: str
    catalogue: str
    title: str
    note: str | None
    """What must be shown with the numbers, such as that the data are simulated."""
    started: AwareDatetime | None = None
    finished: AwareDatetime | None = None
    shards: ShardCounts
    coverage: float
    """Computed part of the expected shards, 0 to 1."""
    work: Work
    yields: Yields
    """By group and channel, where events were processed; channel `all` is their sum."""
    yields_by_year: dict[int, Yields]
    data_intervals: dict[str, DataIntervals]
    """By channel, where data were processed."""
    discovery: Discovery | None = None
    """None for an analysis of one's own."""
    candidates: CandidateTable | None = None
    """What the results name of the data's events; all are in candidates.csv."""
    higgs_peak_gev: tuple[float, float] | None
    """Edges of the highest bin of the Higgs group."""
    luminosity: tuple[Exposure, ...]
    """By year and channel, the whole luminosity and what the merged data cover."""
    certified_pb: dict[int, float] = {}
    """Luminosity of all certified sections, of years of which the catalogue has it by section."""
    stated_luminosity_pb: dict[str, float]
    """By stream, the sum that the data shards state themselves: a check on the above."""
    weights: dict[str, dict[str, float]]
    """By simulated sample and channel, the weight of one event."""
    absent_samples: list[str]
    """Requested samples without a processed event."""
    lacking: dict[Text, dict[Text, int]] = {}
    """By branch that the selection used in some files, and dataset: the shards whose files lack it."""
    unassigned: dict[Text, dict[str, int | float]]
    """By dataset and channel, selected events of the datasets that are in no group; of an own analysis what
    the entries of each histogram weigh.
    """
    clusters: dict[str, ShardCounts]
    datasets: dict[Text, DatasetSummary]
    failures: list[FailedShard]
    missing: dict[Text, list[Text]]
    left_out: int
    """Results that are not counted, because no list of the run names their shards."""
    unexpected: dict[Text, list[Text]]
    """The first of these shards by dataset, such as parts of files that an earlier run cut otherwise."""
    corrupt: dict[Text, Text]
    """Objects among the results that are not result documents: the reason by key."""
    predicted: Account | None = None
    """What the run was predicted to take."""
    took: Account | None = None
    """What it took, according to its results."""
    prediction_error: float | None = None
    """By what part it took longer than predicted; negative if shorter."""

    def to_json(self) -> bytes:
        """Return the file's content."""
        return self.model_dump_json(indent=2).encode() + b"\n"


class Headline(BaseModel):
    """The part of a summary that the plot repeats."""

    note: str | None
    discovery: Discovery | None
    datasets: dict[str, DatasetSummary]


HEADLINE, FAILURES = TypeAdapter(Headline), TypeAdapter(list[FailedShard])


class MadeBy(BaseModel):
    """The DAG run that has planned a run first."""

    dag_run: str


class RunRecord(BaseModel):
    """The part of campaign.json that is read again.

    :param planned: when; what was finished before is the work of a run that it resumes.
    :param datasets: names of all of the run's datasets.
    :param predicted: what the run should take.
    :param conf: what its trigger has chosen of the work; a run that resumes it goes on with that.
    :param results: what decides what the first results of its folder count, by name.
    :param remarks: what `plan` has found that a person should know.
    """

    planned: AwareDatetime | None = None
    airflow: MadeBy | None = None
    datasets: tuple[str, ...] = ()
    predicted: Account | None = None
    conf: dict[str, Any] = {}
    results: dict[str, Any] = {}
    remarks: list[Text] = []


RUN_RECORD = TypeAdapter(RunRecord)

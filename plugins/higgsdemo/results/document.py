"""The result document: what a pod writes for one shard, and the only source of a campaign's physics."""

from typing import Annotated, Literal, TypeVar

from annotated_types import Ge, Le, Len
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    StrictBool,
    Tag,
)

from higgsdemo.datasets.certified import Sections, parse_sections

CHANNELS = ("4mu", "4e", "2e2mu")
"""The lepton channels, in the order of the counts of a document."""

BINS, LOW, HIGH = 37, 70.0, 181.0
"""The histogram of the four-lepton mass: 37 bins of 3 GeV from 70 to 181 GeV."""

MAX_EVENTS = 10**12
"""More events than any file has. It keeps the sum over 100,000 shards far inside 64 bits."""


def _whole_number(value: object) -> object:
    """Accept 3.0, as ROOT's tools write counts, since JSON has one kind of number; refuse 3.5, true, "3"."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1:
        raise ValueError("must be a whole number")
    return int(value)


Count = Annotated[int, BeforeValidator(_whole_number), Ge(0), Le(MAX_EVENTS)]
Size = Annotated[int, BeforeValidator(_whole_number), Ge(0), Le(1 << 60)]
Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False, strict=True)]
Histogram = Annotated[tuple[Count, ...], Len(BINS, BINS)]
Weight = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False, strict=True)]
Square = Annotated[float, Field(ge=0, le=1e30, allow_inf_nan=False, strict=True)]
_Value = TypeVar("_Value")
ByChannel = Annotated[
    dict[Literal["4mu", "4e", "2e2mu"], Annotated[tuple[_Value, ...], Len(BINS, BINS)]], Len(len(CHANNELS))
]
"""A histogram for each channel."""

Name = Annotated[str, Field(min_length=1, max_length=1024)]
Branch = Annotated[str, Field(min_length=1, max_length=128)]
Number = Annotated[int, Field(strict=True, ge=-(1 << 63), lt=1 << 63)]
Candidate = tuple[
    Literal["4mu", "4e", "2e2mu"], Number, Number, Number, Annotated[float, Field(ge=LOW, lt=HIGH)]
]
"""Channel, run, luminosity section, number of the event, and mass in GeV."""
MOST_CANDIDATES = 2000
"""That a document names, in some 120 kB."""


def bin_of(mass: float) -> int:
    """Return the bin of a mass in the histogram's range."""
    return int((mass - LOW) // ((HIGH - LOW) / BINS))


class _Part(BaseModel):
    """A part of a document. Unknown fields are ignored: a later workload may write more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Luminosity(_Part):
    """Integrated luminosity of a data shard's events: its stream (trigger and year) and value in 1/ub."""

    stream: Name
    value: Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False, strict=True)]


class Durations(_Part):
    """Wall-clock seconds the pod spent on the shard."""

    stage_in: Seconds = 0.0
    compute: Seconds = 0.0


class Used(_Part):
    """What a shard took of its pod: peak of the container's memory until then, in bytes, and CPU seconds."""

    memory: Size | None = None
    cpu_seconds: Seconds | None = None


class PublishedFile(_Part):
    """A file that a command has left, which lies in the run's folder below its dataset and shard."""

    name: Annotated[str, Field(pattern=r"^[^/\x00-\x1f\x7f]+(/[^/\x00-\x1f\x7f]+)*$", max_length=1024)]
    size: Size
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class EventWeights(_Part):
    """Sums over the events of a shard whose generator gives them weights other than 1, as MC@NLO does."""

    processed: Weight
    """The sum of the weights of all events read."""
    sums: ByChannel[Weight]
    """By channel, the sum of the weights of the selected events in each bin."""
    squares: ByChannel[Square]
    """The same of the weights squared: the variances of the sums."""


class Filled(_Part):
    """A histogram: in each bin the sum of the weights, and that of their squares, its variance."""

    contents: tuple[Weight, ...]
    squares: tuple[Square, ...]

    @classmethod
    def of(cls, contents: tuple[float, ...], squares: tuple[float, ...] | None = None) -> "Filled":
        """Return a histogram of checked numbers; by default of counts, since every event weighs 1."""
        return cls.model_construct(contents=contents, squares=squares or contents)


OwnHistogram = Annotated[
    Annotated[tuple[Count, ...], Tag("<counts>")] | Annotated[Filled, Tag("<weights>")],
    Discriminator(lambda value: "<weights>" if isinstance(value, dict | Filled) else "<counts>"),
]


class CertifiedEvents(_Part):
    """Of data of which only certified luminosity sections count: their events, and the sections of these."""

    events: Count
    sections: Annotated[Sections, PlainValidator(parse_sections)]
    """Ranges of sections by run; in JSON `[[run, [[first, last], ...]], ...]`."""


class _Document(_Part):
    """What every result may say of its shard; dataset and number of events are required.

    `simulated` results were drawn in a rehearsal: no file was analysed.
    """

    samplename: Name
    processed: Count
    lumi: Luminosity | None = None
    certified: CertifiedEvents | None = None
    shard: Name | None = None
    url: str | None = None
    size: Size | None = None
    entries: tuple[Count, Count] | None = None
    workload: str | None = None
    test_mode: StrictBool = False
    simulated: StrictBool = False
    seconds: Durations = Durations()
    bytes: Size = 0
    used: Used = Used()
    finished: AwareDatetime | None = None
    files: tuple[PublishedFile, ...] = ()


class ResultDocument(_Document):
    """One shard's result: the unweighted events selected by channel and bin.

    These fields, and those before `shard`, are those of the 2019 tool, and enough; our own workload writes
    the others too. Without `weights` every event weighs 1; `selection` is the rule set, and `branches` are
    those used that not every file has. `candidates` are the events in the histograms, of data: older results
    and other images have none, and a result with more than `MOST_CANDIDATES`.
    """

    mass4mu_8TeV_low: Histogram
    mass4e_8TeV_low: Histogram
    mass2mu2e_8TeV_low: Histogram
    weights: EventWeights | None = None
    selection: Name | None = None
    branches: Annotated[tuple[Branch, ...], Len(0, 64)] = ()
    candidates: Annotated[tuple[Candidate, ...], Len(0, MOST_CANDIDATES)] | None = None

    @property
    def counts(self) -> dict[str, tuple[int, ...]]:
        """Selected events in the 37 bins, by channel."""
        histograms = (self.mass4mu_8TeV_low, self.mass4e_8TeV_low, self.mass2mu2e_8TeV_low)
        return dict(zip(CHANNELS, histograms, strict=True))

    @property
    def filled(self) -> dict[str, Filled]:
        """What the selected events weigh, by channel."""
        if (own := self.weights) is None:
            return {channel: Filled.of(counts) for channel, counts in self.counts.items()}
        return {channel: Filled.of(sums, own.squares[channel]) for channel, sums in own.sums.items()}


class OwnDocument(_Document):
    """One shard's result of an analysis of one's own: histograms by name, as its campaign describes them."""

    histograms: dict[Name, OwnHistogram] = {}

    @property
    def counts(self) -> dict[str, tuple[int, ...]]:
        """Empty: nobody knows how many entries a bin has besides what they weigh."""
        return {}

    @property
    def filled(self) -> dict[str, Filled]:
        """What the entries weigh, by histogram."""
        return {
            name: found if isinstance(found, Filled) else Filled.of(found)
            for name, found in self.histograms.items()
        }


Document = ResultDocument | OwnDocument

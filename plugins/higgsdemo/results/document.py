"""The result document: what a pod writes for one shard, and the only source of a campaign's physics.

Results are in a bucket that others can write to, and come from any image that keeps the pod contract, so a
document is checked completely before any of its counts is believed. What is refused is named in one line.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

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
    ValidationError,
)

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.datasets.certified import Sections, parse_sections
from higgsdemo.run_folder import locate
from higgsdemo.wording import printable

CHANNELS = ("4mu", "4e", "2e2mu")
"""The lepton channels, in the order of the counts of a document."""

BINS, LOW, HIGH = 37, 70.0, 181.0
"""The histogram of the four-lepton mass: 37 bins of 3 GeV from 70 to 181 GeV."""

MAX_BYTES = 1 << 20
"""A result document is about 1 kB; anything larger than this is not one."""

MAX_EVENTS = 10**12
"""More events than any file has. It keeps the sum over 100,000 shards far inside 64 bits."""


class ResultError(ValueError):
    """An object that is not a result document. The message is one line that begins with the object's key."""


def _whole_number(value: object) -> object:
    """Accept 3.0, as ROOT's tools write counts, since JSON has one kind of number; refuse 3.5, true, "3"."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is not a number")
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(f"is {value}, not a whole number")
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
Branch = Annotated[str, Field(min_length=1, max_length=64)]


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
    the others too. Without `weights` every event weighs 1; `branches` are those of full NanoAOD used.
    """

    mass4mu_8TeV_low: Histogram
    mass4e_8TeV_low: Histogram
    mass2mu2e_8TeV_low: Histogram
    weights: EventWeights | None = None
    branches: Annotated[tuple[Branch, ...], Len(0, 16)] = ()

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


def parse_result(
    key: str,
    raw: bytes,
    histograms: Sequence[HistogramSpec] | None = None,
    entries: tuple[int, int] | None = None,
) -> Document:
    """Return the checked result document in the object `key`; an OwnDocument with `histograms`.

    :param histograms: those that the campaign describes; None for those of the four-lepton analysis.
    :param entries: the events of its shard, where that is a part of a file.
    :raises ResultError: when the object is not a result document, when a channel selected more events than
        were processed (an event enters a channel at most once), when it names another dataset or shard than
        its key, or when it is of a part of a file and not of exactly the events of that part.
    """
    check_size(key, len(raw))
    dataset, shard = locate(key)
    if not shard:
        raise _refusal(key, "the key names no shard: it should be results/<dataset>/<shard>.json")
    document = _four_leptons(key, raw) if histograms is None else _own(key, raw, histograms)
    if document.samplename != dataset or document.shard not in (None, shard):
        said = "/".join(filter(None, (document.samplename, document.shard)))
        raise _refusal(key, f"the document is of {said}")
    if document.certified and document.certified.events > document.processed:
        events = document.certified.events
        raise _refusal(key, f"{events} certified events, of {document.processed} processed")
    if not document.test_mode:
        _check_entries(key, document, entries)
    return document


def check_size(key: str, size: int) -> None:
    """Raise ResultError when an object of so many bytes is no result document, without a look into it."""
    if not size:
        raise _refusal(key, "the object is empty")
    if size > MAX_BYTES:
        raise _refusal(key, f"the object has {size} bytes, a result document at most {MAX_BYTES}")


def _four_leptons(key: str, raw: bytes) -> ResultDocument:
    try:
        document = ResultDocument.model_validate_json(raw)
    except ValidationError as error:
        raise _refusal(key, _reason(error)) from None
    for channel, counts in document.counts.items():
        if (selected := sum(counts)) > document.processed:
            raise _refusal(key, f"{selected} events selected in {channel}, of {document.processed} processed")
    return document


def _own(key: str, raw: bytes, histograms: Sequence[HistogramSpec]) -> OwnDocument:
    """Return the document of an own analysis, with exactly the described histograms.

    An event may enter a histogram more than once, as each pair of its muons does.
    """
    try:
        document = OwnDocument.model_validate_json(raw)
    except ValidationError as error:
        raise _refusal(key, _reason(error)) from None
    kept = {}
    for histogram in histograms:
        nothing = Filled.of((0,) * histogram.bins) if document.test_mode else None
        found = document.filled.get(histogram.name, nothing)
        if found is None:
            raise _refusal(key, f"histograms.{histogram.name} is missing")
        for bins in map(len, (found.contents, found.squares)):
            if bins != histogram.bins:
                raise _refusal(key, f"histograms.{histogram.name} has {bins} bins, not {histogram.bins}")
        kept[histogram.name] = found
    return document.model_copy(update={"histograms": kept})


def _check_entries(key: str, document: Document, asked: tuple[int, int] | None) -> None:
    """Refuse the result of a part of a file that is not of exactly the events of that part."""
    if asked is None and document.entries is None:
        return
    start, stop = asked or document.entries or (0, 0)
    if document.entries is None:
        raise _refusal(
            key,
            f"entries is missing: the shard is events {start} to {stop} of its file, and an image that does "
            "not say so has read all of it; run it without shard_events",
        )
    if document.entries != (start, stop):
        raise _refusal(key, "entries are {} to {}".format(*document.entries) + f", not {start} to {stop}")
    if document.processed != stop - start:
        raise _refusal(
            key, f"{document.processed} events processed, of the {stop - start} from {start} to {stop}"
        )


def _refusal(key: str, reason: str) -> ResultError:
    return ResultError(f"{printable(key)}: {printable(reason)}")


def _reason(error: ValidationError) -> str:
    """Return the first fault of a document, in words and with its field."""
    fault = error.errors(include_url=False)[0]
    told = [part for part in fault["loc"] if part not in ("<counts>", "<weights>")]
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in told)
    field = "".join(parts).lstrip(".")
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "json_invalid":
        return f"not JSON ({context['error']})"
    if not field:
        return "not a JSON object"
    return f"{field} {_complaint(kind, context, fault['input'])}"


def _complaint(kind: str, context: dict[str, Any], value: object) -> str:
    match kind:
        case "missing":
            return "is missing"
        case "value_error":
            return str(context["error"])
        case "greater_than_equal":
            return f"is {value}, below {context['ge']}"
        case "less_than_equal":
            return f"is {value}, above {context['le']}"
        case "too_short" | "too_long" if context["field_type"] == "Dictionary":
            return "does not have the channels " + ", ".join(CHANNELS)
        case "too_short" | "too_long":
            return f"has {context['actual_length']} bins, not {BINS}"
        case "finite_number":
            return f"is {value}, not a finite number"
        case "float_type":
            return "is not a number"
        case "string_type" | "string_too_short" | "string_too_long":
            return "is not a name of 1 to 1024 characters"
        case "tuple_type":
            return "is not a list of numbers"
        case "bool_type":
            return "is not true or false"
        case "timezone_aware" | "datetime_type" | "datetime_parsing" | "datetime_from_date_parsing":
            return "is not a time with its zone"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "is not a JSON object"
        case _:
            return f"is not valid ({kind})"

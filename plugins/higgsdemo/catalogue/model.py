"""Samples, datasets and uncertainties, and the catalogue that has them."""

import re
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from higgsdemo.catalogue.published import Published

Group = Literal["data", "higgs", "zz", "dy", "ttbar"]
Datatype = Literal["data", "mc"]
Channel = Literal["4mu", "4e", "2e2mu"]

UNASSIGNED = "unassigned"
"""The sample of datasets that no catalogue has: processed and counted, but neither normalised nor stacked."""

_NAME = re.compile("[A-Za-z0-9]([A-Za-z0-9._-]{0,198}[A-Za-z0-9])?")


def is_dataset_name(name: str) -> bool:
    """Return whether `name` may name a dataset: it becomes part of keys in the bucket and of object names."""
    return _NAME.fullmatch(name) is not None


def _name(text: object) -> str:
    if not is_dataset_name(str(text)):
        raise PydanticCustomError("name", "it must be letters, digits, dots, hyphens and underscores")
    return str(text)


Name = Annotated[str, BeforeValidator(_name)]


def _split(value: object) -> object:
    names = value.split("|") if isinstance(value, str) else value
    if isinstance(names, list) and len(set(names)) < len(names):
        raise PydanticCustomError("names", "it names one twice: its events would be counted twice")
    return names


class Sample(BaseModel):
    """One physics process, or one stream of one data-taking period: what is normalised as a whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    group: Group
    datatype: Datatype
    year: int = Field(ge=2000, le=2100)
    channels: Annotated[tuple[Channel, ...], BeforeValidator(_split)]
    cross_section_pb: float | None = Field(gt=0, allow_inf_nan=False)
    scale_factor: float | None = Field(gt=0, allow_inf_nan=False)
    generated_events: int | None = Field(ge=1)
    files: int = Field(ge=1)


class Uncertainty(BaseModel):
    """One standard deviation of one cause: lines of the same name vary together.

    `up` and `down` are factors, 1.02 or 0.98 for 2%, on the number of events (kind `events`) or on their mass
    (kind `mass`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z]\w*$")
    source: str = Field(min_length=1)
    samples: Annotated[tuple[str, ...], BeforeValidator(_split)]
    """Simulated groups, such as `zz`, or one year's, `zz_2012`."""
    channels: Annotated[tuple[Channel, ...], BeforeValidator(_split)]
    up: float = Field(gt=0, allow_inf_nan=False)
    down: float = Field(gt=0, allow_inf_nan=False)
    kind: Literal["events", "mass"]

    def varies(self, group: str, year: int, channel: str) -> bool:
        """Return whether it applies to a group's events of a year in a channel."""
        return channel in self.channels and not {group, f"{group}_{year}"}.isdisjoint(self.samples)


class Dataset(BaseModel):
    """The files below one key prefix of a bucket; `prefix` has no slash at either end."""

    model_config = ConfigDict(frozen=True)

    name: str
    prefix: str
    files: int
    sample: Sample


class Heading(BaseModel):
    """The content of `catalogue.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1)
    note: str | None = None
    luminosity_pb: dict[int, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(min_length=1)
    luminosity_uncertainty: dict[int, Annotated[float, Field(gt=0, lt=1)]] = {}
    """Relative standard deviation by year; none where a year is not named."""
    certified: dict[int, str] = {}
    """By year, where the certified luminosity sections of data are: a path below this folder, or a URL."""
    luminosity_by_section: dict[int, str] = {}
    """By year, the path below this folder of a table of the luminosity of each section."""
    file_bytes: float | None = Field(None, gt=0, allow_inf_nan=False)
    streams: dict[str, dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]]] = {}


class Catalogue(Heading):
    """All datasets and samples of one catalogue, by name."""

    name: str
    datasets: dict[str, Dataset]
    samples: dict[str, Sample]
    uncertainties: tuple[Uncertainty, ...] = ()
    """Those of `uncertainties.csv`; the luminosity's are above."""
    published: dict[str, Published] = {}
    """By the file's name without its ending."""

    def including(self, datasets: Iterable[Dataset]) -> Self:
        """Return the catalogue with a campaign's own datasets for those of their samples that do not run.

        A dataset is the campaign's own where that gives it another sample, too.
        """
        run = {dataset.name: dataset for dataset in datasets}
        samples = {name: known.sample for name, known in self.datasets.items()}
        own = {name: dataset for name, dataset in run.items() if samples.get(name) != dataset.sample}
        replaced = {dataset.sample.name for dataset in own.values()}
        kept = {
            name: known
            for name, known in self.datasets.items()
            if name in run or known.sample.name not in replaced
        }
        return self.model_copy(update={"datasets": kept | own})

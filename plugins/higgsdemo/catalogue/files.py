"""Read a catalogue's files, and refuse what is wrong in them by file, line and column."""

import csv
import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from higgsdemo.catalogue.model import (
    UNASSIGNED,
    Catalogue,
    Dataset,
    Datatype,
    Group,
    Heading,
    Name,
    Sample,
    Uncertainty,
)
from higgsdemo.catalogue.published import Published, read_published
from higgsdemo.wording import ExplainedError, did_you_mean, first_fault, quote

DATASETS = "HIGGS_DATASETS"  # an Airflow that has plugins in a place of their own names the folder so
DATASETS_DIR = Path(os.environ.get(DATASETS) or Path(__file__).resolve().parents[3] / "include" / "datasets")

_PREFIX = re.compile("[A-Za-z0-9._=+,:~-]+(/[A-Za-z0-9._=+,:~-]+)*")


class CatalogueError(ExplainedError, ValueError):
    """A catalogue is missing or wrong; the message names file, line and column."""

    final = True


def _prefix(text: object) -> str:
    if not _PREFIX.fullmatch(str(text)) or {".", ".."} & set(str(text).split("/")):
        raise PydanticCustomError(
            "prefix", "it must be a key with no slash at either end and no . or .. in it"
        )
    return str(text)


class _DatasetLine(BaseModel):
    """One line of `datasets.csv`; group, datatype and year repeat the sample's, for the reader."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    prefix: Annotated[str, BeforeValidator(_prefix)]
    files: int = Field(ge=1)
    sample: str
    group: Group
    datatype: Datatype
    year: int


_Line = TypeVar("_Line", Sample, Uncertainty, _DatasetLine)


def catalogue_names(root: Path = DATASETS_DIR) -> list[str]:
    """Return the names of all catalogues."""
    return sorted(path.parent.name for path in root.glob("*/catalogue.json"))


def load_catalogue(name: str, root: Path = DATASETS_DIR) -> Catalogue:
    """Read the catalogue `root/name/`; raise CatalogueError for none, or at the first mistake in it."""
    names = catalogue_names(root)
    if name not in names:
        raise CatalogueError(
            f"there is no catalogue {quote(name)}{did_you_mean(name, names)} (there are {', '.join(names)})"
        )
    stats = [file.stat() for file in sorted((root / name).iterdir()) if file.exists()]
    return _read(root / name, tuple((stat.st_mtime_ns, stat.st_size) for stat in stats))


@lru_cache(maxsize=16)
def _read(directory: Path, versions: tuple[tuple[int, int], ...]) -> Catalogue:
    """Read a catalogue once for each version of its files."""
    heading = _read_heading(directory / "catalogue.json")
    samples = _read_samples(directory / "samples.csv", set(heading.luminosity_pb))
    datasets = _read_datasets(directory / "datasets.csv", samples)
    _check_streams(directory / "catalogue.json", heading.streams, samples)
    _compare_files(directory / "samples.csv", samples, datasets)
    return Catalogue(
        name=directory.name,
        datasets=datasets,
        samples=samples,
        uncertainties=_read_uncertainties(directory / "uncertainties.csv", heading.luminosity_pb),
        published=_read_published(directory),
        **heading.model_dump(),
    )


def _read_published(directory: Path) -> dict[str, Published]:
    found = {}
    for path in sorted(directory.glob("*.yaml")):
        try:
            found[path.stem] = read_published(path)
        except ValueError as error:
            raise CatalogueError(f"{path}: {error}") from None
    return found


def _read_heading(path: Path) -> Heading:
    try:
        return Heading.model_validate(json.loads(_text(path)))
    except json.JSONDecodeError as error:
        raise CatalogueError(f"{path}, line {error.lineno}: not JSON: {error.msg}") from None
    except ValidationError as error:
        raise CatalogueError(f"{path}: {first_fault(error)}") from None


def _read_samples(path: Path, years: set[int]) -> dict[str, Sample]:
    samples: dict[str, Sample] = {}
    for number, sample in _lines(path, "sample", Sample):
        where = f"{path}, line {number}"
        if sample.name in samples or sample.name == UNASSIGNED:
            raise CatalogueError(f"{where}, column sample: the name {quote(sample.name)} is already taken")
        weighted = sample.cross_section_pb is not None and sample.scale_factor is not None
        if (sample.group == "data") != (sample.datatype == "data"):
            raise CatalogueError(f"{where}, column datatype: group data and datatype data go together")
        if weighted != (sample.datatype == "mc"):
            raise CatalogueError(
                f"{where}, column cross_section_pb: simulated samples (datatype mc) need a cross section and "
                "a scale factor, data samples have neither"
            )
        if sample.year not in years:
            raise CatalogueError(f"{where}, column year: catalogue.json has no luminosity for {sample.year}")
        samples[sample.name] = sample
    return samples


def _read_datasets(path: Path, samples: dict[str, Sample]) -> dict[str, Dataset]:
    datasets: dict[str, Dataset] = {}
    prefixes: set[str] = set()
    for number, line in _lines(path, "dataset", _DatasetLine):
        where = f"{path}, line {number}"
        if line.name in datasets:
            raise CatalogueError(f"{where}, column dataset: {quote(line.name)} is there twice")
        if line.prefix in prefixes:
            raise CatalogueError(
                f"{where}, column prefix: another dataset has the prefix {quote(line.prefix)}"
            )
        sample = samples.get(line.sample)
        if sample is None:
            hint = did_you_mean(line.sample, samples)
            raise CatalogueError(f"{where}, column sample: samples.csv has no {quote(line.sample)}{hint}")
        for column in ("group", "datatype", "year"):
            if getattr(line, column) != getattr(sample, column):
                raise CatalogueError(
                    f"{where}, column {column}: is {getattr(line, column)}, "
                    f"but its sample {sample.name} has {getattr(sample, column)}"
                )
        datasets[line.name] = Dataset(name=line.name, prefix=line.prefix, files=line.files, sample=sample)
        prefixes.add(line.prefix)
    return datasets


def _read_uncertainties(path: Path, years: Iterable[int]) -> tuple[Uncertainty, ...]:
    simulated = [(group, year) for group in get_args(Group) if group != "data" for year in years]
    known = sorted({name for group, year in simulated for name in (group, f"{group}_{year}")})
    found: list[Uncertainty] = []
    for number, line in _lines(path, "name", Uncertainty) if path.exists() else ():
        where = f"{path}, line {number}"
        if line.name.startswith(("luminosity_", "statistics_", "signal_strength")):
            raise CatalogueError(f"{where}, column name: the model has {quote(line.name)} already")
        for name in line.samples:
            if name not in known:
                raise CatalogueError(
                    f"{where}, column samples: there are no simulated events of {quote(name)}"
                    f"{did_you_mean(name, known)} (there are {', '.join(known)})"
                )
        if any(
            line.name == other.name and line.kind == other.kind and other.varies(*sample, channel)
            for other in found
            for sample in simulated
            for channel in line.channels
            if line.varies(*sample, channel)
        ):
            raise CatalogueError(f"{where}: an earlier line of {quote(line.name)} varies the same events")
        found.append(line)
    return tuple(found)


def _check_streams(path: Path, streams: dict[str, dict[str, float]], samples: dict[str, Sample]) -> None:
    """Refuse streams that are not one luminosity for each data sample: they weight its files."""
    named = Counter(name for parts in streams.values() for name in parts)
    data = Counter(name for name, sample in samples.items() if sample.datatype == "data")
    if wrong := (named - data) | (data - named):
        names = ", ".join(map(quote, sorted(wrong)))
        raise CatalogueError(f"{path}: streams must give the luminosity of each data sample: see {names}")


def _compare_files(path: Path, samples: dict[str, Sample], datasets: dict[str, Dataset]) -> None:
    """Refuse a sample whose number of files is not the sum over its datasets: one is out of date."""
    for sample in samples.values():
        files = sum(dataset.files for dataset in datasets.values() if dataset.sample.name == sample.name)
        if files != sample.files:
            raise CatalogueError(
                f"{path}, sample {sample.name}, column files: is {sample.files}, its datasets have {files}"
            )


def _lines(path: Path, key: str, model: type[_Line]) -> list[tuple[int, _Line]]:
    """Yield line number and line of the CSV file `path`; `key` is the column with the name."""
    reader = csv.DictReader(_text(path).splitlines(), strict=True)
    columns = [key if field == "name" else field for field in model.model_fields]
    lines: list[tuple[int, _Line]] = []
    try:
        if sorted(reader.fieldnames or []) != sorted(columns):
            raise CatalogueError(f"{path}, line 1: the columns must be {','.join(columns)}")
        for row in reader:
            if None in row or None in row.values():
                raise CatalogueError(f"{path}, line {reader.line_num}: must have {len(columns)} columns")
            values: dict[str, Any] = {column: text or None for column, text in row.items()}
            values["name"] = values.pop(key)
            lines.append((reader.line_num, model.model_validate(values)))
    except ValidationError as error:
        first = error.errors()[0]
        column = key if first["loc"][0] == "name" else first["loc"][0]
        value = row[str(column)]
        raise CatalogueError(
            f"{path}, line {reader.line_num}, column {column}: {quote(value)} is wrong: {first['msg']}"
        ) from None
    except csv.Error as error:
        raise CatalogueError(f"{path}, line {reader.line_num or 1}: not CSV: {error}") from None
    return lines


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CatalogueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CatalogueError(f"{path} is not UTF-8 text") from None

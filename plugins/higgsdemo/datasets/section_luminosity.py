"""The luminosity of each section, as `brilcalc lumi --byls --output-style csv` writes it.

CERN Open Data has such tables for the certified sections of 2011 (record 1053) and 2012 (record 1052). A line
names the columns, such as `#run:fill,ls,time,beamstatus,E(GeV),delivered(/ub),recorded(/ub),avgpu,source`. A
run is `190645:2486` with its fill, a section `10:10`. Other lines that begin with # are remarks.
"""

from __future__ import annotations

import csv
import re
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from math import fsum, inf
from pathlib import Path
from typing import TYPE_CHECKING

from higgsdemo.campaign import DatasetRef
from higgsdemo.catalogue import DATASETS_DIR, Catalogue, CatalogueError
from higgsdemo.datasets.certified import Sections, read_kept, unite

if TYPE_CHECKING:  # it imports Airflow
    from higgsdemo.storage.object_store import ObjectStore

Table = dict[int, dict[int, float]]  # recorded luminosity in 1/pb by run and section

IN_PB = {"/ub": 1e-6, "/nb": 1e-3, "/pb": 1.0, "/fb": 1e3}


def table_of(catalogue: Catalogue, year: int) -> Table | None:
    """Return the table of a year, if the catalogue has one; raise `CatalogueError`."""
    if (place := catalogue.luminosity_by_section.get(year)) is None:
        return None
    path = DATASETS_DIR / place
    try:
        stat = path.stat()
        return _read(path, stat.st_mtime_ns, stat.st_size)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CatalogueError(f"{path}, the luminosity by section, cannot be read: {error}") from None


def check_tables(catalogue: Catalogue) -> None:
    """Read all tables of a catalogue; raise `CatalogueError` for one that is wrong."""
    for year in catalogue.luminosity_by_section:
        table_of(catalogue, year)


def sum_recorded(table: Table, sections: Sections) -> tuple[float, int]:
    """Return the luminosity of sections in 1/pb, and how many of them the table does not have."""
    found: list[float] = []
    unknown = 0
    for run, ranges in sections.items():
        firsts = [first for first, _ in ranges]
        of_run = [
            value
            for section, value in table.get(run, {}).items()
            if (before := bisect(firsts, section)) and section <= ranges[before - 1][1]
        ]
        found += of_run
        unknown += sum(last - first + 1 for first, last in ranges) - len(of_run)
    return fsum(found), unknown


def all_sections(parts: Iterable[Sections]) -> Sections:
    """Return the sections that are in any of the parts."""
    by_run: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for sections in parts:
        for run, ranges in sections.items():
            by_run[run] += ranges
    return {run: unite(ranges) for run, ranges in by_run.items()}


def certified_luminosity(
    output: ObjectStore, refs: Iterable[DatasetRef], catalogue: Catalogue
) -> dict[int, float]:
    """Return the luminosity in 1/pb of all sections that a run's datasets count, by year that has a table."""
    by_year: dict[int, dict[str, Sections]] = defaultdict(dict)
    for ref in refs:
        year = catalogue.samples[ref.sample].year if ref.sample in catalogue.samples else 0
        if ref.certified and year in catalogue.luminosity_by_section:
            by_year[year][ref.name] = read_kept(output, ref.name)
    return {
        year: sum_recorded(table_of(catalogue, year) or {}, all_sections(by_name.values()))[0]
        for year, by_name in sorted(by_year.items())
    }


@lru_cache(maxsize=4)
def _read(path: Path, modified: int, size: int) -> Table:
    table: Table = defaultdict(dict)
    names: list[str] = []
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if not row or row[0].startswith("#"):
                names = _names(row) or names  # another table may follow, in another unit
                continue
            try:
                run, section, value = _numbers(row, names)
                if section in table[run]:
                    raise ValueError(f"section {section} of run {run} is there twice")
            except ValueError as error:
                raise CatalogueError(f"{path}, line {number}: {error}") from None
            table[run][section] = value
    if not table:
        raise CatalogueError(f"{path}: it has no sections")
    return dict(table)


def _names(row: list[str]) -> list[str]:
    """Return the names of the columns, of what was recorded the unit; none for another remark."""
    names = [re.sub(r"^recorded\((.*)\)$", r"\1", name.strip().lower().lstrip("#")) for name in row]
    return names if {"run:fill", "ls"} <= {*names} and IN_PB.keys() & names else []


def _numbers(row: list[str], names: list[str]) -> tuple[int, int, float]:
    if not names:
        raise ValueError("no line before it names the columns: #run:fill,ls,...,recorded(/ub)")
    if len(row) != len(names):
        raise ValueError(f"it has {len(row)} columns, not {len(names)}")
    cells = dict(zip(names, row, strict=True))
    run, section = (int(cells[name].partition(":")[0]) for name in ("run:fill", "ls"))
    value, scale = next((float(cells[unit]), scale) for unit, scale in IN_PB.items() if unit in cells)
    if run < 1 or section < 1 or not 0 <= value < inf:
        raise ValueError("run, section and luminosity must be positive numbers")
    return run, section, value * scale

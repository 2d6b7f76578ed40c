"""The tables: printed, and kept in `RESULTS.md` with the machine they were measured on."""

import io
import os
import platform
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
from rich import box
from rich.console import Console
from rich.table import Table

from bench.curves import Panel, draw
from bench.measure import Cost
from bench.relay import Traffic

RESULTS = Path(__file__).with_name("RESULTS.md")
PICTURES = RESULTS.parents[1] / "docs" / "images"
HEAD = """\
# What the benches printed last

Each section is one command that compares two ways in one run and replaces its own section here: `make
bench-submit` and so on, `make bench` for all of them. Options go through: `make bench-submit BENCH='--files
1000'`. What each number compares with the demo of 2019, and what not: [original.md](original.md).
"""
COSTS = ("seconds", "requests", "MB sent", "MB received", "CPU s", "memory MB")
Say = Callable[[str], object]
"""Tells who waits what is done now."""
PACKAGES = ("apache-airflow", "kubernetes")


@dataclass(frozen=True)
class Report:
    """What a bench has found.

    :param text: what was compared, and how: paragraphs.
    :param findings: what the table says, a line each.
    :param panels: what is drawn of it, as `bench-<bench>.svg`.
    """

    text: str
    table: Table
    findings: tuple[str, ...]
    packages: tuple[str, ...] = PACKAGES
    panels: tuple[Panel, ...] = ()


def table(*columns: str) -> Table:
    """Return an empty table; the first column is text, the others are numbers."""
    made = Table(box=box.MARKDOWN)
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number else "left", no_wrap=True)
    return made


def costs(cost: Cost, traffic: Traffic) -> tuple[str, ...]:
    """Return the cells below `COSTS`."""
    return (
        number(cost.seconds),
        f"{traffic.requests:,}",
        megabytes(traffic.sent),
        megabytes(traffic.received),
        number(cost.cpu),
        megabytes(cost.memory),
    )


def show(report: Report, console: Console) -> None:
    """Print the table and what it says."""
    console.print("", *_rows(report.table), "", *report.findings, "", sep="\n", markup=False, soft_wrap=True)


def keep(report: Report, bench: str, path: Path) -> None:
    """Replace the section of a bench in the file, or add it; its picture lies with those of the docs.

    That of another file than `RESULTS` lies beside it.
    """
    content = path.read_text() if path.exists() else HEAD
    sections = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", content, re.MULTILINE | re.DOTALL))
    sections[bench] = _section(report)
    if report.panels:
        picture = (PICTURES if path == RESULTS else path.parent) / f"bench-{bench}.svg"
        picture.write_bytes(draw(report.panels))
        there = os.path.relpath(picture, path.parent)
        sections[bench] += f"\n\n![What the table says of {bench}, as curves]({there})"
    path.write_text(HEAD + "".join(f"\n## {name}\n{sections[name].rstrip()}\n" for name in sections))


def number(value: float) -> str:
    """Return a number with three digits that count, as people write it."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{1 if value >= 10 else 2 if value >= 0.1 else 3}f}"


def megabytes(size: float) -> str:
    """Return bytes as MB."""
    return number(size / 1e6)


def ratio(ours: float, theirs: float) -> str:
    """Return how many times more theirs is."""
    return f"{number(theirs / ours)} ×"


def _section(report: Report) -> str:
    rows, findings = "\n".join(_rows(report.table)), "\n".join(f"- {finding}" for finding in report.findings)
    return "\n\n".join(("", report.text.strip(), rows, findings, _machine(report.packages)))


def _rows(table: Table) -> list[str]:
    """Return the lines of a table in Markdown, as wide as they are."""
    drawn = io.StringIO()
    Console(file=drawn, width=500).print(table)
    return [line.strip() for line in drawn.getvalue().strip().splitlines()]


def _machine(packages: tuple[str, ...]) -> str:
    memory = psutil.virtual_memory().total / 2**30
    facts = (
        f"{datetime.now(UTC):%Y-%m-%d}",
        f"{os.cpu_count()} cores",
        f"{memory:.0f} GiB of memory",
        f"{platform.system()} {platform.machine()}",
        f"load {os.getloadavg()[0]:.1f}",
        f"Python {platform.python_version()}",
        *(f"{name} {version(name)}" for name in packages),
    )
    return f"*{', '.join(facts)}.*"

"""How much of a campaign its spectra show: the computed part of its shards."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor

from higgsdemo.catalogue import Catalogue
from higgsdemo.physics.exposure import Exposure, tell_beyond, tell_uncovered
from higgsdemo.results.sums import DatasetSum

GENERATOR_WEIGHT = "genWeight"
"""The branch that data never have."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Spectra of a campaign, parts of which may be missing."""

    shards_computed: int
    shards_expected: int
    exposures: tuple[Exposure, ...] = ()
    absent: tuple[str, ...] = ()
    """Samples without a processed event: requested ones, and those that the stack lacks."""
    lacking: dict[str, dict[str, int]] = field(default_factory=dict)
    """By branch that the selection used in some files, and dataset: the shards whose files lack it."""
    weightless: tuple[str, ...] = ()
    """Samples with processed events whose generator weights add up to nothing: they cannot be normalised."""
    certified: str = ""
    """Of data of which only certified events count, how many they are; empty without such data."""

    @property
    def coverage(self) -> float:
        """Return the computed part of the expected shards, 0 to 1."""
        return self.shards_computed / self.shards_expected if self.shards_expected else 0.0

    @property
    def differing(self) -> str:
        """Say in how many branches the files differ that the selection uses; nothing where in none."""
        number = len(self.lacking)
        return f"files differ in {number} branch{'es' if number > 1 else ''}" if number else ""


def computed_shards(sums: Mapping[str, DatasetSum], expected: Mapping[str, int]) -> int:
    """Return the computed shards, and those of the campaign, `expected` by dataset."""
    return sum(min(sums[name].computed, shards) for name, shards in expected.items() if name in sums)


def certified_events(sums: Mapping[str, DatasetSum]) -> str:
    """Say how many events of data were read, where only certified ones count, and how many these are."""
    parts = sums.values()
    return tell_certified(sum(part.checked for part in parts), sum(part.certified for part in parts))


def tell_certified(checked: int, certified: int) -> str:
    """Say the same in words; nothing where no events were to be certified."""
    return f"{certified:,} of {checked:,} events of data are certified" if checked else ""


def lacking_branches(sums: Mapping[str, DatasetSum], catalogue: Catalogue) -> dict[str, dict[str, int]]:
    """Return by branch and dataset the shards that lack a branch which others have.

    Only simulated datasets can lack generator weights.
    """
    weighted = {name for name, known in catalogue.datasets.items() if known.sample.datatype == "mc"}
    used = sorted({branch for total in sums.values() for branch in total.branches})
    lacking = {
        branch: {
            dataset: total.with_events - total.branches.get(branch, 0)
            for dataset, total in sums.items()
            if branch != GENERATOR_WEIGHT or dataset in weighted
        }
        for branch in used
    }
    found = {branch: {name: n for name, n in shards.items() if n} for branch, shards in lacking.items()}
    return {branch: shards for branch, shards in found.items() if shards}


def coverage_text(spectrum: Coverage) -> str | None:
    """Return what a plot lacks and what is wrong with it, such as `98.7% of the shards`; None for nothing."""
    lines = []
    if spectrum.coverage < 1:
        lines.append(f"{floor(1000 * spectrum.coverage) / 10:.1f}% of the shards")
    if spectrum.absent:
        lines.append(f"{len(spectrum.absent)} sample{'s' if len(spectrum.absent) > 1 else ''} missing")
    if spectrum.differing:
        lines.append(spectrum.differing)
    if spectrum.weightless:
        lines.append(f"weights of {', '.join(spectrum.weightless)} add up to nothing")
    lines += tell_uncovered(spectrum.exposures) + tell_beyond(spectrum.exposures)
    return "\n".join(lines) or None

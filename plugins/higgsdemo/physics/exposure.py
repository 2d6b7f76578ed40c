"""The luminosity that a campaign's data cover, to which the simulation is scaled.

So the stack of a partial campaign still predicts the points drawn over it. Each year and channel counts
separately, since muon and electron triggers are datasets of their own: the catalogue's luminosity of the
year, times the part of its streams' luminosity which the computed data shards state. Where the catalogue has
it by section, and all data say of which certified sections they are, it is the luminosity of these instead. A
campaign without data is scaled to the whole luminosity: it predicts all the data.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import fsum

from higgsdemo.catalogue import Catalogue
from higgsdemo.datasets.file_luminosity import ROUNDED, UB_A_PB
from higgsdemo.datasets.section_luminosity import all_sections, sum_recorded, table_of
from higgsdemo.results.document import CHANNELS
from higgsdemo.results.sums import DatasetSum

ENERGY_TEV = {2011: 7, 2012: 8}
"""Centre-of-mass energy of the LHC's proton collisions, by year."""


@dataclass(frozen=True)
class Exposure:
    """A year's luminosity in 1/pb in a channel: the whole, and what the merged data cover of it.

    `beyond_pb` is what the data state above the whole: they hold events twice, or files of other data. The
    simulation is not scaled to that.
    """

    year: int
    channel: str
    full_pb: float
    covered_pb: float
    beyond_pb: float = 0.0
    by_section: bool = False
    """Whether what is covered is the luminosity of the certified sections that the data are of."""
    unknown_sections: int = 0
    """How many of these have no luminosity in the catalogue's table."""


def exposures(
    sums: Mapping[str, DatasetSum], catalogue: Catalogue, expected: Mapping[str, int]
) -> tuple[Exposure, ...]:
    """Return the covered luminosity of each year and channel."""
    data = [dataset for dataset in catalogue.datasets.values() if dataset.sample.datatype == "data"]
    asked = any(dataset.name in expected for dataset in data)
    whole = {sample: pb for parts in catalogue.streams.values() for sample, pb in parts.items()}

    def fraction(year: int, channel: str) -> float:
        if not asked:
            return 1.0
        feeding = [d for d in data if d.sample.year == year and channel in d.sample.channels]
        full_pb = fsum(whole[sample] for sample in {dataset.sample.name for dataset in feeding})
        stated = [v for d in feeding if d.name in sums for v in sums[d.name].luminosity.values()]
        return fsum(stated) / (full_pb * UB_A_PB) if full_pb else 0.0

    def exposure(year: int, channel: str, full_pb: float) -> Exposure:
        of_channel = (d.name for d in data if d.sample.year == year and channel in d.sample.channels)
        read = [total for name in of_channel if (total := sums.get(name)) and total.processed]
        table = table_of(catalogue, year)
        if table and read and all(total.checked == total.processed for total in read):
            covered_pb, unknown = sum_recorded(table, all_sections(total.sections for total in read))
            return Exposure(year, channel, full_pb, covered_pb, by_section=True, unknown_sections=unknown)
        part = fraction(year, channel)
        beyond = part - 1.0 if part > 1.0 + ROUNDED else 0.0
        return Exposure(year, channel, full_pb, full_pb * min(part, 1.0), full_pb * beyond)

    return tuple(
        exposure(year, channel, full_pb)
        for year, full_pb in sorted(catalogue.luminosity_pb.items())
        for channel in CHANNELS
    )


def luminosity_text(exposures: Iterable[Exposure]) -> str:
    """Return the covered luminosity by year, as `2.3 fb⁻¹ (7 TeV) + 11.6 fb⁻¹ (8 TeV)`.

    Where channels cover different parts of a year it is given as from-to; years without any are left out.
    """
    parts, exposures = [], tuple(exposures)
    for year in sorted({exposure.year for exposure in exposures}):
        covered = [exposure.covered_pb / 1000 for exposure in exposures if exposure.year == year]
        ends = [f"{value:.1f}" if value >= 0.95 else f"{value:.2g}" for value in (min(covered), max(covered))]
        energy = f"{ENERGY_TEV[year]} TeV" if year in ENERGY_TEV else str(year)
        if max(covered):
            parts.append(rf"{'–'.join(dict.fromkeys(ends))} fb$^{{-1}}$ ({energy})")
    return " + ".join(parts)


def tell_uncovered(exposures: Iterable[Exposure]) -> list[str]:
    """Say for each year how much luminosity its data lack, in the worst channel."""
    least = {one.year: one for one in reversed(sorted(exposures, key=lambda one: one.covered_pb))}
    return [
        f"{one.covered_pb:.5g} of {one.full_pb:.5g} /pb ({year}, {one.channel})"
        for year, one in sorted(least.items())
        if one.covered_pb < one.full_pb * (1 - ROUNDED)
    ]


def tell_beyond(exposures: Iterable[Exposure]) -> list[str]:
    """Say for each year what data state above the whole luminosity, in the worst channel."""
    worst = {one.year: one for one in sorted(exposures, key=lambda one: one.beyond_pb) if one.beyond_pb}
    return [
        f"data of {one.full_pb + one.beyond_pb:.5g} /pb of {one.full_pb:.5g} ({year}, {one.channel})"
        for year, one in sorted(worst.items())
    ]


def tell_sections(exposures: Iterable[Exposure], certified_pb: Mapping[int, float]) -> list[str]:
    """Say for each year with luminosity by section what of the certified one is covered, channel by channel.

    :param certified_pb: of all certified sections, by year.
    """
    told = []
    for year, whole in certified_pb.items():
        of_year = [one for one in exposures if one.by_section and one.year == year]
        covered = (f"{one.covered_pb:,.5g} ({one.channel})" for one in of_year)
        told += [f"{year}: {', '.join(covered)} of {whole:,.5g} /pb in certified sections"] if of_year else []
        if unknown := max((one.unknown_sections for one in of_year), default=0):
            told.append(f"{year}: {unknown} certified sections of the data have no luminosity in the table")
    return told

"""The tables of docs/physics.md are what the code makes of the catalogue and of the published numbers."""

import re
from collections.abc import Iterable
from itertools import product
from pathlib import Path

from counting_experiment import counting
from higgsdemo.catalogue import Catalogue, Sample, load_catalogue
from higgsdemo.physics.discovery import discover
from higgsdemo.physics.normalisation import UNSEEN, Spectrum, normalise
from result_documents import merged, one_file_each, stored

KNOWN = one_file_each(load_catalogue("cms-higgs"))
PAGE = (Path(__file__).parents[2] / "docs" / "physics.md").read_text(encoding="utf-8")

DATA = KNOWN.published["published"].counts
"""Published events in each of the 37 bins (CERN Open Data record 5500)."""

PUBLISHED = {"higgs": (9.73, 8.20), "zz": (80.08, 4.30), "dy": (3.85, 0.35), "ttbar": (0.07, 0.0)}
"""Published yields from 70 to 181 GeV, and from 121 to 130 GeV; of top pairs none is given for the window."""

FEW = {
    "sm12_dr53x_dyjetstoll_m-50_tz2_8tev-mgtt-taupolaroff": (2, 0),
    "sm11legdr_dyjetstoll_m-50_7tev-madgraph-py6-tauola": (7, 2),
    "sm11legdr_ttto2l2nu2b_7tev-pw-py6": (15, 0),
}
"""Selected events, and those of them in the window, of the groups of which a handful is selected."""

LABELS = {"data": "Data", "higgs": "Higgs boson", "zz": "ZZ", "dy": "Drell-Yan", "ttbar": "Top pairs"}


def processed(sample: Sample) -> int:
    """Return the generated events; of HT slices of one process, in proportion to their files."""
    whole = sum(other.files for other in KNOWN.samples.values() if same_process(sample, other))
    return round((sample.generated_events or 0) * sample.files / whole)


def same_process(one: Sample, other: Sample) -> bool:
    return (one.group, one.year, one.generated_events, one.cross_section_pb) == (
        *(other.group, other.year),
        *(other.generated_events, other.cross_section_pb),
    ) and one.channels == other.channels


def spectrum(selected: dict[str, tuple[int, int]]) -> Spectrum:
    """Return the spectrum of the full campaign with so many events of each simulated sample selected.

    The second number of a sample are those of them in the window.
    """
    homes = {dataset.sample.name: name for name, dataset in KNOWN.datasets.items()}

    def bins(name: str) -> dict[int, int]:
        everywhere, inside = selected.get(name, (0, 0))
        return {7: everywhere - inside, 18: inside}

    merge = merged(
        stored(homes[one.name], "0", processed(one), {one.channels[0]: bins(one.name)})
        for one in simulated(KNOWN)
    )
    assert merge.corrupt == {}
    return normalise(merge.datasets, KNOWN, {})


def simulated(known: Catalogue) -> list[Sample]:
    return [sample for sample in known.samples.values() if sample.datatype == "mc"]


def weight(sample: Sample) -> float:
    return spectrum({}).weights[sample.name][sample.channels[0]]


def table(title: str) -> list[list[str]]:
    """Return the cells of the table below a heading, without its head."""
    section = PAGE.split(f"\n### {title}\n")[1].split("\n#")[0]
    rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def cells(rows: Iterable[Iterable[object]]) -> list[list[str]]:
    return [[str(cell) for cell in row] for row in rows]


def test_the_weights_are_those_of_the_code() -> None:
    assert table("Weights") == cells(
        (
            f"`{sample.name}`",
            f"{sample.cross_section_pb:g}",
            f"{sample.scale_factor:g}",
            f"{sample.generated_events:,}",
            f"{weight(sample) * processed(sample):.4g}",
            f"{weight(sample):.3g}",
        )
        for sample in simulated(KNOWN)
    )


def counts(group: str) -> dict[str, tuple[int, int]]:
    """Return the selected events of each sample that give the published yields.

    Higgs and ZZ: one selected fraction for all samples of the group. The others: see FEW.
    """
    samples = [sample for sample in simulated(KNOWN) if sample.group == group]
    if set(FEW) & {sample.name for sample in samples}:
        return {sample.name: FEW.get(sample.name, (0, 0)) for sample in samples}
    everywhere, inside = (yields / produced(group) for yields in PUBLISHED[group])
    return {
        sample.name: (round(everywhere * processed(sample)), round(inside * processed(sample)))
        for sample in samples
    }


def produced(group: str) -> float:
    return sum(weight(sample) * processed(sample) for sample in simulated(KNOWN) if sample.group == group)


def test_the_published_yields_follow_from_counts_of_selected_events() -> None:
    rows = [(LABELS["data"], "", sum(DATA), sum(DATA), sum(DATA[17:20]))]
    for group, (published, in_window) in PUBLISHED.items():
        selected = counts(group)
        found = spectrum(selected).yields()[group]["all"]
        assert (f"{found.total:.2f}", f"{found.window:.2f}") == (f"{published:.2f}", f"{in_window:.2f}")
        number = sum(everywhere for everywhere, _ in selected.values())
        rows.append(
            (
                LABELS[group],
                f"{produced(group):.4g}",
                f"{number:,}",
                f"{found.total:.2f}",
                f"{found.window:.2f}",
            )
        )
    assert table("Published yields") == cells(rows)


def fitting(*weights: float, total: str, most: int) -> list[tuple[int, ...]]:
    """All numbers of events, up to `most` of each sample, whose weights add up to the published yield."""
    numbers = product(range(most + 1), repeat=len(weights))
    return [n for n in numbers if f"{sum(k * w for k, w in zip(n, weights, strict=True)):.2f}" == total]


def test_few_counts_of_top_pairs_give_the_published_yield() -> None:
    """An event of 8 TeV weighs 0.36: five times the yield of the group."""
    top = [weight(sample) for sample in simulated(KNOWN) if sample.group == "ttbar"]
    assert fitting(*top, total="0.07", most=100) == [(14, 0), (15, 0), (16, 0)]


def test_one_set_of_counts_of_drell_yan_gives_the_published_yields() -> None:
    """If none is of the HT slices, whose events weigh too little to say how many there are."""
    weights = {sample.name: weight(sample) for sample in simulated(KNOWN) if sample.group == "dy"}
    without = {name: value for name, value in weights.items() if "_ht-" not in name}
    assert ["m-10to50_" in name for name in without] == [True, False, False]
    ((_, in_window, _),) = fitting(*without.values(), total="0.35", most=5)
    everywhere = fitting(*without.values(), total="3.85", most=25)
    assert everywhere == [(0, 7, 2), (2, 0, 2)]
    assert [counts for counts in everywhere if counts[1] >= in_window] == [(0, 7, 2)]


def test_the_public_files_lack_as_many_events_of_8_tev_as_the_page_says() -> None:
    """Of the Drell-Yan and top pairs that are not among them the two events of M-50 alone count."""
    selected = {name: n for group in PUBLISHED for name, n in counts(group).items()}
    expected = {
        group: channels["all"].total for group, channels in spectrum(selected).yields_by_year()[2012].items()
    }
    lacking = f"{expected['dy'] + expected['ttbar']:.0f} of {sum(expected.values()):.0f} events"
    assert f"the expectation lacks about {lacking} |" in PAGE


def test_the_fault_of_2019_is_as_large_as_the_page_says() -> None:
    """Its plot weighed both M-50 samples with the cross section of M-10to50 of their year."""
    sections = {
        (sample.year, "m-50" in sample.name): sample.cross_section_pb or 0.0
        for sample in simulated(KNOWN)
        if sample.group == "dy"
    }
    ratios = [sections[year, False] / sections[year, True] for year in (2011, 2012)]
    assert f"{ratios[0]:.2f} times too large" in PAGE
    assert f"{1 / ratios[1]:.0f} times too small" in PAGE


def row(background: float, error: float) -> list[str]:
    """Of the published counts in the window, with the error of the background."""
    found = discover(counting(PUBLISHED["higgs"][1], background, sum(DATA[17:20]), error / background))
    assert found.signal_strength_interval is not None
    low, high = found.signal_strength_interval
    return [
        f"{background:.2f}",
        f"{error:.2f}",
        f"{PUBLISHED['higgs'][1]:.2f}",
        "12",
        f"{found.observed_significance:.2f}",
        f"{found.expected_significance:.2f}",
        f"{found.signal_strength:.2f}",
        f"{low:.2f} to {high:.2f}",
    ]


def test_the_significance_of_the_published_counts_is_that_of_the_code() -> None:
    background = PUBLISHED["zz"][1] + PUBLISHED["dy"][1]
    inside = {name: n for group in PUBLISHED if group != "higgs" for name, (_, n) in counts(group).items()}
    weights = {name: weight(KNOWN.samples[name]) for name in inside}
    seen = sum(n * weights[name] ** 2 for name, n in inside.items())
    empty = sum((UNSEEN * weights[name]) ** 2 for name, n in inside.items() if not n)
    errors = (0.0, seen**0.5, (seen + empty) ** 0.5)
    assert table("Significance of the published counts") == [row(background, error) for error in errors]


def test_each_uncertainty_of_the_page_is_that_of_the_catalogue() -> None:
    """By cause: where it applies, and by how much at most."""
    rows: dict[str, list[str]] = {}
    for one in KNOWN.uncertainties:
        most = f"{100 * max(abs(one.up - 1), abs(one.down - 1)):.3g}%"
        groups = ", ".join(LABELS[name.partition("_")[0]] for name in one.samples)
        where = " ".join(one.channels) if len(one.channels) < 3 else "all"
        rows.setdefault(one.name, [f"`{one.name}`", groups, one.kind, ""])[3] += f", {where} {most}"
    assert table("Uncertainties") == [[*first, sizes.removeprefix(", ")] for *first, sizes in rows.values()]

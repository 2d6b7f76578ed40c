"""The spectra as tables for HEPData, the field's archive of published numbers: `hepdata.yaml`.

The file is a submission in one piece (https://hepdata-submission.readthedocs.io): YAML documents, the first
about the whole, the others one table each. They are written as JSON, which is YAML, too.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np

from higgsdemo.catalogue import Catalogue
from higgsdemo.physics.coverage import coverage_text
from higgsdemo.physics.exposure import ENERGY_TEV, Exposure
from higgsdemo.physics.normalisation import Spectrum
from higgsdemo.physics.poisson import poisson_interval
from higgsdemo.physics.yields import Histogram
from higgsdemo.publication.rounding import round_number
from higgsdemo.results.document import BINS, CHANNELS, HIGH, LOW

_FINAL_STATES = {"4mu": "4 muons", "4e": "4 electrons", "2e2mu": "2 electrons 2 muons", "all": "4 leptons"}
_LABELS = {
    "data": "Data",
    "higgs": "Higgs boson, 125 GeV",
    "zz": "ZZ",
    "dy": "Drell-Yan",
    "ttbar": "Top pairs",
}


def submission(spectrum: Spectrum, catalogue: Catalogue) -> bytes:
    """Return the submission: a table of all channels and years, and one of each channel and year.

    A table has the groups with processed events, and begins with what is missing in them.
    """
    missing = (coverage_text(spectrum) or "").replace("\n", ", ")
    comment = ". ".join(filter(None, [catalogue.title, catalogue.note, missing]))
    documents = [{"comment": comment}, *_tables(spectrum)]
    return "".join(f"---\n{json.dumps(document, indent=1)}\n" for document in documents).encode()


def _tables(spectrum: Spectrum) -> Iterator[dict[str, Any]]:
    if spectrum.groups:
        histograms = {group: spectrum.combined(group) for group in spectrum.groups}
        yield _table("all", list(spectrum.years), histograms, spectrum.exposures)
    for year, groups in spectrum.years.items():
        for channel in CHANNELS:
            histograms = {group: of[channel] for group, of in groups.items() if channel in of}
            exposures = [e for e in spectrum.exposures if (e.year, e.channel) == (year, channel)]
            if histograms:
                yield _table(channel, [year], histograms, exposures)


def _table(
    channel: str, years: list[int], histograms: Mapping[str, Histogram], exposures: Sequence[Exposure]
) -> dict[str, Any]:
    edges = np.linspace(LOW, HIGH, BINS + 1).tolist()
    when = " and ".join(map(str, years))
    energies = [1000.0 * ENERGY_TEV[year] for year in years if year in ENERGY_TEV]
    qualifiers = [
        *({"name": "SQRT(S)", "units": "GeV", "value": energy} for energy in energies),
        *(_luminosity(year, [e.covered_pb for e in exposures if e.year == year]) for year in years),
    ]
    return {
        "name": f"Four-lepton mass, {channel}, {when}",
        "description": f"Events in bins of the mass of {_FINAL_STATES[channel]}, {when}. The expected ones "
        "are weighted to the luminosity of the data; their errors are those of finite simulation.",
        "keywords": [
            {"name": "reactions", "values": ["P P --> Z0 Z0 X"]},
            {"name": "observables", "values": ["N"]},
            {"name": "cmenergies", "values": energies},
        ],
        "independent_variables": [
            {
                "header": {"name": "Four-lepton mass", "units": "GeV"},
                "values": [{"low": low, "high": high} for low, high in pairwise(edges)],
            }
        ],
        "dependent_variables": [
            {
                "header": {"name": f"{_LABELS[group]}, events"},
                "qualifiers": qualifiers,
                "values": _counted(histogram) if group == "data" else _expected(histogram),
            }
            for group, histogram in histograms.items()
        ],
    }


def _luminosity(year: int, covered_pb: list[float]) -> dict[str, Any]:
    """Return a year's luminosity that the data cover, from-to where channels cover different parts."""
    least, most = (round_number(value / 1000) for value in (min(covered_pb), max(covered_pb)))
    value = least if least == most else f"{least}-{most}"
    return {"name": f"Luminosity of {year}", "units": "fb$^{-1}$", "value": value}


def _counted(histogram: Histogram) -> list[dict[str, Any]]:
    """Return numbers of events with Poisson (Garwood) intervals of 68%."""
    counts = np.asarray(histogram.values())
    low, high = poisson_interval(counts)
    return [
        {
            "value": int(count),
            "errors": [
                {"asymerror": {"minus": round_number(minus), "plus": round_number(plus)}, "label": "stat"}
            ],
        }
        for count, minus, plus in zip(counts, low - counts, high - counts, strict=True)
    ]


def _expected(histogram: Histogram) -> list[dict[str, Any]]:
    """Return weighted events; where none was simulated there is no error to state."""
    return [
        {"value": round_number(value)}
        | ({"errors": [{"symerror": round_number(sqrt(variance)), "label": "MC stat"}]} if variance else {})
        for value, variance in zip(histogram.values(), histogram.variances(), strict=True)
    ]

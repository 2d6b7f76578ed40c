"""The spectra as tables that HEPData takes, the field's archive of published numbers: `hepdata.yaml`.

The file is a submission in one piece (https://hepdata-submission.readthedocs.io): YAML documents, the first
about the whole, the others one table each. They are written as JSON, of which every document is YAML too.
"""

from __future__ import annotations

import json
from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from hist.intervals import poisson_interval

from higgsdemo.physics.normalisation import GROUPS
from higgsdemo.publication.plot import ENERGY_TEV
from higgsdemo.results.document import BINS, CHANNELS, HIGH, LOW

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from higgsdemo.catalogue import Catalogue
    from higgsdemo.physics.normalisation import Histogram, Spectrum

HEPDATA = "hepdata.yaml"

_FINAL_STATES = {"4mu": "4 muons", "4e": "4 electrons", "2e2mu": "2 electrons 2 muons", "all": "4 leptons"}
_LABELS = {
    "data": "Data",
    "higgs": "Higgs boson, 125 GeV",
    "zz": "ZZ",
    "dy": "Drell-Yan",
    "ttbar": "Top pairs",
}


def submission(spectrum: Spectrum, catalogue: Catalogue) -> bytes:
    """The submission: a table of all channels and years, and one of each channel and year."""
    comment = ". ".join(filter(None, [catalogue.title, catalogue.note]))
    documents = [{"comment": comment}, *_tables(spectrum)]
    return "".join(f"---\n{json.dumps(document, indent=1)}\n" for document in documents).encode()


def _tables(spectrum: Spectrum) -> Iterator[dict[str, Any]]:
    years = list(spectrum.years)
    yield _table("all", years, {group: spectrum.combined(group) for group in GROUPS})
    for year, groups in spectrum.years.items():
        for channel in CHANNELS:
            yield _table(channel, [year], {group: groups[group][channel] for group in GROUPS})


def _table(channel: str, years: list[int], histograms: Mapping[str, Histogram]) -> dict[str, Any]:
    edges = np.linspace(LOW, HIGH, BINS + 1).tolist()
    when = " and ".join(map(str, years))
    energies = [1000.0 * ENERGY_TEV[year] for year in years if year in ENERGY_TEV]
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
                "qualifiers": [{"name": "SQRT(S)", "units": "GeV", "value": energy} for energy in energies],
                "values": _counted(histogram) if group == "data" else _expected(histogram),
            }
            for group, histogram in histograms.items()
        ],
    }


def _counted(histogram: Histogram) -> list[dict[str, Any]]:
    """Numbers of events with Poisson (Garwood) intervals of 68%."""
    counts = np.asarray(histogram.values())
    low, high = poisson_interval(counts)
    return [
        {
            "value": int(count),
            "errors": [{"asymerror": {"minus": _rounded(minus), "plus": _rounded(plus)}, "label": "stat"}],
        }
        for count, minus, plus in zip(counts, low - counts, high - counts, strict=True)
    ]


def _expected(histogram: Histogram) -> list[dict[str, Any]]:
    """Weighted events; where none was simulated there is no error to state."""
    return [
        {"value": _rounded(value)}
        | ({"errors": [{"symerror": _rounded(sqrt(variance)), "label": "MC stat"}]} if variance else {})
        for value, variance in zip(histogram.values(), histogram.variances(), strict=True)
    ]


def _rounded(value: float) -> float:
    """Six significant digits."""
    return float(f"{value:.6g}")

"""What the merged results of a run say: the spectrum, what follows from it, and its files for others."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from higgsdemo import run_folder
from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.catalogue import Catalogue
from higgsdemo.physics.discovery import Discovery, discovery_in
from higgsdemo.physics.normalisation import Spectrum, normalise
from higgsdemo.physics.spectra import OwnSpectra, add_up
from higgsdemo.publication.chart import chart, own_chart
from higgsdemo.publication.datacard import datacard
from higgsdemo.publication.hepdata import submission
from higgsdemo.publication.histograms import root_file
from higgsdemo.publication.yields_files import as_csv, as_latex, yields_lines
from higgsdemo.results.candidates import CandidateTable
from higgsdemo.results.sums import DatasetSum

if TYPE_CHECKING:  # it imports Airflow, which takes seconds
    from higgsdemo.results.merge import Merge


@dataclass(frozen=True)
class Numbers:
    """The numbers of a run.

    :param sums: by dataset, each event once.
    :param chart: the plot as JSON values, for the page.
    :param exports: the spectrum in the field's formats, by file name.
    """

    sums: dict[str, DatasetSum]
    spectrum: Spectrum | OwnSpectra
    chart: dict[str, Any]
    exports: dict[str, bytes] = field(default_factory=dict)
    discovery: Discovery | None = None
    candidates: CandidateTable | None = None


def numbers_of(
    histograms: Sequence[HistogramSpec] | None,
    merge: "Merge",
    catalogue: Catalogue,
    expected: Mapping[str, int],
) -> Numbers:
    """Return the numbers of an own analysis, or of the four leptons where `histograms` is None.

    :param expected: the campaign's shards by dataset.
    """
    if histograms is not None:
        own = add_up(merge.datasets, histograms, expected)
        return Numbers(merge.datasets, own, own_chart(own, catalogue))
    sums, candidates = merge.candidates.once(merge.datasets, catalogue), merge.candidates.table(catalogue)
    spectrum = normalise(sums, catalogue, expected)
    discovery, workspace = discovery_in(spectrum, catalogue)
    exports = _exports(spectrum, catalogue, workspace)
    return Numbers(sums, spectrum, chart(spectrum, catalogue, candidates), exports, discovery, candidates)


def _exports(spectrum: Spectrum, catalogue: Catalogue, workspace: dict[str, Any] | None) -> dict[str, bytes]:
    lines = yields_lines(spectrum, catalogue)
    exports = {
        run_folder.YIELDS: as_csv(lines),
        run_folder.YIELDS_TABLE: as_latex(lines, catalogue),
        run_folder.HISTOGRAMS: root_file(spectrum),
        run_folder.HEPDATA: submission(spectrum, catalogue),
    }
    if workspace is not None:
        exports[run_folder.WORKSPACE] = json.dumps(workspace, indent=1).encode()
        exports[run_folder.DATACARD], exports[run_folder.SHAPES] = datacard(workspace)
    return exports

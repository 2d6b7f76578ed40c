"""What is drawn of a run: the mass spectrum with its scans, or the histograms of an own analysis."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from higgsdemo import run_folder
from higgsdemo.catalogue import Catalogue
from higgsdemo.physics.discovery import Discovery
from higgsdemo.physics.normalisation import normalise
from higgsdemo.physics.spectra import add_up
from higgsdemo.publication.plot import draw, draw_channels
from higgsdemo.publication.scans_plot import draw_scans
from higgsdemo.publication.spectra_plot import draw_own
from higgsdemo.results.sums import SumsByDataset
from higgsdemo.run import Run


def figures_of(
    run: Run,
    sums: SumsByDataset,
    catalogue: Catalogue,
    expected: Mapping[str, int],
    discovery: Discovery | None,
) -> dict[str, Figure]:
    """Return the figures by file name, without its ending.

    :param expected: the campaign's shards by dataset.
    """
    if run.counted is not None:
        own = add_up(sums, run.counted, expected)
        return {run_folder.OWN_PLOT: draw_own(own, run.campaign, catalogue.note)}
    spectrum = normalise(sums, catalogue, expected)
    published = catalogue.published.get(run.compare or "")
    figures = {run_folder.PLOT: draw(spectrum, catalogue, discovery, published=published)}
    for channel, figure in draw_channels(spectrum, catalogue).items():
        figures[f"{run_folder.PLOT}_{channel}"] = figure
    if discovery and discovery.masses:
        figures[run_folder.SCANS] = draw_scans(discovery, catalogue, spectrum.exposures)
    return figures

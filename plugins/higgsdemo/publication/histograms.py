"""The spectra as a ROOT file, which the field's own tools open: `histograms.root`.

It holds a TH1D for each group with processed events, by year and channel: `2012/4mu/higgs`, with the sums of
squared weights as ROOT keeps them (fSumw2), and in `all` their sum over the years, and over the channels too.
"""

import io
from collections.abc import Iterator

import uproot

from higgsdemo.physics.normalisation import Groups, Histogram, Spectrum

ALL = "all"


def root_file(spectrum: Spectrum) -> bytes:
    """Return the file; files of equal spectra differ in a date and an identifier, as ROOT files do."""
    content = io.BytesIO()
    with uproot.recreate(content) as file:
        for path, histogram in _histograms(spectrum):
            file[path] = histogram
        return content.getvalue()  # before uproot closes the buffer; it has nothing left to write


def _histograms(spectrum: Spectrum) -> Iterator[tuple[str, Histogram]]:
    years: list[tuple[int | str, Groups]] = [*spectrum.years.items(), (ALL, spectrum.groups)]
    for year, groups in years:
        for group, channels in groups.items():
            for channel, histogram in channels.items():
                yield f"{year}/{channel}/{group}", histogram
    for group in spectrum.groups:
        yield f"{ALL}/{ALL}/{group}", spectrum.combined(group)

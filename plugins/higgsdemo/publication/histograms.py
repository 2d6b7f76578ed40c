"""The spectra as a ROOT file, which the field's own tools open: `histograms.root`.

It holds a TH1D for each group with processed events, by year and channel: `2012/4mu/higgs`, with the sums of
squared weights as ROOT keeps them (fSumw2), and in `all` their sum over the years, and over the channels too.
"""

import io
from collections.abc import Iterator

import uproot

from higgsdemo.physics.normalisation import Spectrum
from higgsdemo.physics.yields import Groups, Histogram

ALL = "all"


def root_file(spectrum: Spectrum) -> bytes:
    """Return the file; files of equal spectra differ in a date and an identifier, as ROOT files do."""
    content = io.BytesIO()
    with uproot.recreate(content) as file:
        for path, histogram, entries in _histograms(spectrum):
            root = uproot.writing.identify.to_writable(histogram)
            root.bases[0].members["fEntries"] = float(entries)  # else the sum of weights
            file[path] = root
        return content.getvalue()  # before uproot closes the buffer; it has nothing left to write


def _histograms(spectrum: Spectrum) -> Iterator[tuple[str, Histogram, int]]:
    """Return path, histogram and number of unweighted events."""
    years: list[tuple[int | str, Groups]] = [*spectrum.years.items(), (ALL, spectrum.groups)]
    for year, groups in years:
        for group, channels in groups.items():
            for channel, histogram in channels.items():
                yield f"{year}/{channel}/{group}", histogram, _entries(spectrum, year, group, channel)
    for group in spectrum.groups:
        yield f"{ALL}/{ALL}/{group}", spectrum.combined(group), _entries(spectrum, ALL, group, ALL)


def _entries(spectrum: Spectrum, year: int | str, group: str, channel: str) -> int:
    return sum(
        number
        for (of_year, of_group, of_channel), number in spectrum.entries.items()
        if year in (of_year, ALL) and group == of_group and channel in (of_channel, ALL)
    )

"""The histograms that an analysis of one's own leaves for each shard, in the campaign's binning.

The workload `own` is any image that keeps the pod contract, `command` any image at all. The project knows
nothing else of it, so its histograms are added up as they are, and no group is stacked on another.
"""

from collections.abc import Iterator, Sequence

from pydantic import ConfigDict, Field

from higgsdemo.campaign.fields import Bins, HistogramName, InFile, Limit, Line
from higgsdemo.campaign.problems import Problem
from higgsdemo.campaign.rule import Model
from higgsdemo.wording import quote


class HistogramSpec(Model):
    """A histogram with bins of equal width, each with its lower edge and without its upper one."""

    model_config = ConfigDict(serialize_by_alias=True)

    name: HistogramName = Field(examples=["mass"])
    """Key in the `histograms` of a result document."""
    from_: InFile | None = Field(None, alias="from", title="From", examples=["skim.root:h_mass"])
    """With the workload `command`: the TH1 in a file of its output that has the entries; by default they are
    in the `result.json` that the command writes.
    """
    bins: Bins = Field(examples=[60])
    """Number of bins."""
    low: Limit = Field(examples=[60])
    """Lower edge of the first bin."""
    high: Limit = Field(examples=[120])
    """Upper edge of the last bin."""
    label: Line = ""
    """Name and unit of the axis; by default the histogram's name."""

    @property
    def axis(self) -> str:
        return self.label or self.name


def unfit_histograms(histograms: Sequence[HistogramSpec], *, in_files: bool) -> Iterator[Problem]:
    """Return the problems of histograms: no range, a repeated name, a file where nobody reads any."""
    names: set[str] = set()
    for number, histogram in enumerate(histograms):
        path = ("histograms", number)
        if histogram.low >= histogram.high:
            text = f"is {histogram.high:g}, which is not above the lower edge {histogram.low:g}"
            yield Problem((*path, "high"), text)
        if histogram.from_ and not in_files:
            yield Problem((*path, "from"), 'is for the workload "command": the pods read no files of others')
        if histogram.name in names:
            yield Problem((*path, "name"), f"is {quote(histogram.name)}, which another histogram has too")
        names.add(histogram.name)

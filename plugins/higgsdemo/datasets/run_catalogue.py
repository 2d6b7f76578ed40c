"""The catalogue of a run: that of its campaign, with what only the run knows of its datasets."""

from collections.abc import Sequence

from higgsdemo.catalogue import Catalogue, Dataset, load_catalogue
from higgsdemo.run import ClusterRun

SIMULATED = "Simulated events, not CMS collisions"
"""The note of what is no measurement; the title of the tree in files that the demo's generator has made."""


def catalogue_of(assignments: Sequence[ClusterRun], simulated: bool) -> Catalogue:
    """Return the run's catalogue, with the campaign's own datasets, and a note if results are `simulated`."""
    catalogue = load_catalogue(assignments[0].run.catalogue)
    if simulated and catalogue.note is None:
        catalogue = catalogue.model_copy(update={"note": SIMULATED})
    refs = [ref for assignment in assignments for ref in assignment.cluster.datasets]
    return catalogue.including(
        Dataset(name=ref.name, prefix=ref.url, files=ref.files or 0, sample=catalogue.samples[ref.sample])
        for ref in refs
        if ref.sample in catalogue.samples
    )

"""Histograms that a command has written into ROOT files, in the binning of its campaign."""

from typing import Any, BinaryIO

from workload.errors import TryAgain


def read_counts(file: BinaryIO, asked: dict[str, Any], key: str) -> list[int]:
    """Return the entries in the bins of a TH1.

    :param asked: what the campaign says of it: `from`, `bins`, `low` and `high`.
    :param key: its name in the file.
    :raises TryAgain: when it is not there, or is another histogram than the campaign says.
    """
    import numpy as np
    import uproot

    try:
        with uproot.open(file) as root:
            counts, edges = root[key].to_numpy()
    except Exception as error:  # a damaged file can make the library raise anything
        raise TryAgain(f"there is no histogram {asked['from']}: {type(error).__name__}: {error}") from error
    wanted = np.linspace(asked["low"], asked["high"], asked["bins"] + 1)
    if edges.shape != wanted.shape or not np.allclose(edges, wanted):
        has = f"{len(edges) - 1} bins from {edges[0]:g} to {edges[-1]:g}"
        raise TryAgain(f"{asked['from']} has {has}, and not the bins of the campaign's histogram")
    if not np.array_equal(counts, np.floor(counts)):
        raise TryAgain(f"{asked['from']} has weights, which are not added up: fill it without")
    return [int(count) for count in counts]

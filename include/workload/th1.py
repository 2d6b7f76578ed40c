"""Histograms that a command has written into ROOT files, in the binning of its campaign."""

from typing import Any, BinaryIO

from workload.errors import TryAgain


def read_th1(file: BinaryIO, asked: dict[str, Any], key: str) -> list[int] | dict[str, list[float]]:
    """Return a TH1, `key` of the file, as a result document has it: counts, or weights with their squares.

    :raises TryAgain: when it is not there, is another one than the campaign says, or cannot be added up.
    """
    import numpy as np
    import uproot

    name = asked["from"]
    try:
        with uproot.open(file) as root:
            found = root[key]
            (contents, edges), squares = found.to_numpy(), np.asarray(found.member("fSumw2"))[1:-1]
    except Exception as error:  # a damaged file can make the library raise anything
        raise TryAgain(f"there is no histogram {name}: {type(error).__name__}: {error}") from error
    wanted = np.linspace(asked["low"], asked["high"], asked["bins"] + 1)
    rounding = 0.01 * (wanted[1] - wanted[0])  # of edges, however far from zero they are
    if edges.shape != wanted.shape or not np.allclose(edges, wanted, rtol=0, atol=rounding):
        has = f"{len(edges) - 1} bins from {edges[0]:g} to {edges[-1]:g}"
        raise TryAgain(f"{name} has {has}, and not the bins of the campaign's histogram")
    if not (np.isfinite(contents).all() and np.isfinite(squares).all() and (squares >= 0).all()):
        raise TryAgain(f"{name} has a bin that is no number, is infinite, or has a negative sum of squares")
    counted = np.array_equal(contents, np.floor(np.abs(contents)))
    if counted and (not squares.size or np.array_equal(contents, squares)):
        return [int(count) for count in contents]
    if not squares.size:
        raise TryAgain(f"{name} has weights without their squares (fSumw2): call Sumw2() before it is filled")
    return {"contents": contents.astype(float).tolist(), "squares": squares.astype(float).tolist()}

"""The error of what is expected, against numbers worked out by hand."""

from typing import Any

import numpy as np
import pytest

from higgsdemo.catalogue import Catalogue, Uncertainty
from higgsdemo.physics.normalisation import normalise
from higgsdemo.physics.uncertainties import deviation, move
from result_documents import ALL, catalogue, merged, sample, stored, uncertainty

KNOWN = catalogue(sample("h", "higgs", files=1), sample("zz", "zz", files=1, channels=("4mu", "4e")))


def error(*uncertainties: Uncertainty, known: Catalogue = KNOWN, channels: tuple[str, ...] = ALL) -> float:
    """Return that of bin 18, which expects 40 events of Higgs and 90 of ZZ in 4mu, each of weight 10."""
    simulated = {"H": {18: 4}, "ZZ": {18: 9}}
    merge = merged(stored(name, "x", 100, {"4mu": bins}) for name, bins in simulated.items())
    known = known.model_copy(update={"uncertainties": uncertainties})
    return float(deviation(normalise(merge.datasets, known, {"H": 1, "ZZ": 1}), known, channels)[18])


def test_without_others_the_error_is_that_of_the_simulated_events_and_of_the_luminosity() -> None:
    assert error(channels=("4mu",)) == pytest.approx(10 * 13**0.5)
    empty = 2 * 18.41**2 + 18.41**2  # the two samples in 4e, and the Higgs boson in 2e2mu
    assert error() == pytest.approx((1300 + empty) ** 0.5, rel=1e-4)
    measured = KNOWN.model_copy(update={"luminosity_uncertainty": {2012: 0.1}})
    assert error(known=measured, channels=("4mu",)) == pytest.approx((1300 + 13**2) ** 0.5)


@pytest.mark.parametrize(
    ("lines", "added"),
    [
        ([["one", ["higgs", "zz"], {}]], 13.0),
        ([["one", ["higgs"], {}], ["one", ["zz"], {"up": 0.8, "down": 1.2}]], -14.0),
        ([["one", ["higgs"], {}], ["other", ["zz"], {}]], 9.848857801796104),
        ([["one", ["zz_2012"], {"up": 1.3}]], 18.0),
        ([["one", ["zz_2011"], {}]], 0.0),
        ([["one", ["zz"], {"channels": ["4e"]}]], 0.0),
    ],
)
def test_lines_of_one_name_vary_together_and_others_apart(lines: list[Any], added: float) -> None:
    uncertainties = [uncertainty(name, *samples, **fields) for name, samples, fields in lines]
    assert error(*uncertainties, channels=("4mu",)) == pytest.approx((1300 + added**2) ** 0.5)


def test_masses_move_events_to_the_next_bin() -> None:
    """Of 124 to 127 GeV, at 0.3% more, 124.372 to 127.381: 0.381 / 3.009 of the events leave."""
    events = np.zeros(37)
    events[18] = 6.0
    up, down = move(events, 1.003), move(events, 0.997)
    assert {bin: up[bin] for bin in np.nonzero(up)[0]} == pytest.approx(
        {18: 6 - 0.7597, 19: 0.7597}, abs=1e-4
    )
    assert {bin: down[bin] for bin in np.nonzero(down)[0]} == pytest.approx(
        {17: 0.7462, 18: 5.2538}, abs=1e-4
    )
    assert error(uncertainty("scale", "higgs", up=1.003, down=0.997, kind="mass"), channels=("4mu",)) == (
        pytest.approx((1300 + (40 / 6 * (0.7462 - 0.7597) / 2) ** 2) ** 0.5, abs=1e-4)
    )

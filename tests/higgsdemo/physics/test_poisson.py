"""The intervals of counts."""

import numpy as np
from hist.intervals import poisson_interval as interval_of_hist
from numpy.testing import assert_allclose

from higgsdemo.physics.poisson import poisson_interval


def test_the_intervals_are_those_of_hist() -> None:
    counts = np.array([0, 1, 2, 3, 10, 138_000, 1e9])
    assert_allclose(poisson_interval(counts), interval_of_hist(counts), rtol=1e-12)

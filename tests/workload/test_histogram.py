from fractions import Fraction

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from workload.histogram import BINS, EDGES, histogram


def test_there_are_37_bins_of_3_gev_from_70_to_181_gev() -> None:
    assert EDGES.tolist() == [70.0 + 3.0 * i for i in range(38)]


EDGE_CASES = [69.99999999999999, 70.0, 72.99999999999999, 73.0, 180.99999999999997, 181.0]


@example(EDGE_CASES)
@given(st.lists(st.floats(0, 300)))
def test_counts_every_mass_in_the_bin_that_exact_arithmetic_gives(masses: list[float]) -> None:
    expected = [0] * BINS
    for mass in masses:
        bin_ = (Fraction(mass) - 70) // 3
        if 0 <= bin_ < BINS:
            expected[bin_] += 1
    assert histogram(np.array(masses, np.float64)).tolist() == expected


def test_what_is_no_mass_is_in_no_bin() -> None:
    assert histogram(np.array([np.inf, np.nan])).tolist() == [0] * BINS

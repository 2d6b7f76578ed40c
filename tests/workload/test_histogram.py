from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workload.histogram import BINS, EDGES, histogram


def test_there_are_37_bins_of_3_gev_from_70_to_181_gev() -> None:
    assert EDGES.tolist() == [70.0 + 3.0 * i for i in range(38)]


@pytest.mark.parametrize(
    ("mass", "bin_"),
    [
        (69.99999999999999, None),
        (70.0, 0),
        (72.99999999999999, 0),
        (73.0, 1),
        (125.0, 18),
        (180.99999999999997, 36),
        (181.0, None),
        (float("inf"), None),
        (float("nan"), None),
    ],
)
def test_a_bin_holds_its_lower_edge_and_not_its_upper_one(mass: float, bin_: int | None) -> None:
    assert histogram(np.array([mass])).tolist() == [int(i == bin_) for i in range(BINS)]


@given(st.lists(st.floats(0, 300)))
def test_counts_every_mass_in_the_bin_that_exact_arithmetic_gives(masses: list[float]) -> None:
    expected = [0] * BINS
    for mass in masses:
        bin_ = (Fraction(mass) - 70) // 3
        if 0 <= bin_ < BINS:
            expected[bin_] += 1
    assert histogram(np.array(masses, np.float64)).tolist() == expected

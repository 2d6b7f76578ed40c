"""How many shards may fail."""

from __future__ import annotations

import pytest

from planned_runs import planned


@pytest.mark.parametrize(
    ("tolerance", "shards", "allowed"),
    [(0, 5, 0), (3, 5, 3), (0.1, 106, 10), (0.001, 2692, 2), (0.29, 100, 29), (0.57, 100, 57)],
)
def test_a_fraction_allows_what_it_says(tolerance: float, shards: int, allowed: int) -> None:
    assert planned({"tolerance": tolerance}).run.allowed_failures(shards) == allowed

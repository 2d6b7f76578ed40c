"""Indexes as in kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1: "1,3-5,7"."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localkube.controllers.job_rules import compress, expand


@pytest.mark.parametrize(
    ("indexes", "text"),
    [
        ([], ""),
        ([0], "0"),
        ([0, 1], "0,1"),
        ([0, 1, 2], "0-2"),
        ([1, 3, 4, 5, 7], "1,3-5,7"),
        ([9, 8, 1], "1,8,9"),
    ],
)
def test_indexes_are_written_as_ranges(indexes: list[int], text: str) -> None:
    assert compress(indexes) == text


@given(st.sets(st.integers(0, 3000)))
def test_what_is_written_is_read_again(indexes: set[int]) -> None:
    assert expand(compress(indexes)) == indexes

"""The next item is made while the present one is used, and never more than one."""

import threading
from collections.abc import Iterator

import pytest

from workload.prefetch import one_ahead

PATIENCE = 30.0


def test_the_next_is_made_while_the_present_is_used_and_no_other() -> None:
    made: list[int] = []
    progress = threading.Condition()

    def items() -> Iterator[int]:
        for number in range(4):
            with progress:
                made.append(number)
                progress.notify_all()
            yield number

    for number in one_ahead(items()):
        ahead = list(range(min(number + 2, 4)))
        with progress:
            assert progress.wait_for(lambda expected=ahead: made == expected, PATIENCE)


def test_what_fails_is_raised_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the second")

    handed_out = one_ahead(items())
    assert next(handed_out) == 1
    with pytest.raises(ValueError, match="the second"):
        next(handed_out)

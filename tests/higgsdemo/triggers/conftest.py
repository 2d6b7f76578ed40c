"""What all tests of the triggers keep to."""

from collections.abc import Iterator

import pytest

from loop_watch import loop_watched


@pytest.fixture(autouse=True)
def nothing_holds_up_the_loop() -> Iterator[None]:
    """Let a test fail whose trigger waits for anything but the event loop."""
    with loop_watched():
        yield

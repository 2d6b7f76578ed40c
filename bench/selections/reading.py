"""Only read and decompress the branches that the selection needs."""

from collections.abc import Callable

import uproot

from bench.selections import branches

EVENTS_AT_A_TIME = 100_000


def prepare(path: str) -> Callable[[], None]:
    """Return the work."""

    def work() -> None:
        with uproot.open(path) as file:
            for _ in file["Events"].iterate(branches(), step_size=EVENTS_AT_A_TIME):
                pass

    return work

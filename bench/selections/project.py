"""The project's way: what a pod does with a file once it has it."""

from collections.abc import Callable
from pathlib import Path


def prepare(path: str) -> Callable[[], dict[str, int]]:
    """Return the work."""
    from workload.events import read_events
    from workload.selection import select

    def work() -> dict[str, int]:
        selected: dict[str, int] = {}
        for events in read_events(Path(path), path):
            for channel, candidates in select(events.muons, events.electrons).items():
                selected[channel] = selected.get(channel, 0) + len(candidates.mass)
        return selected

    return work

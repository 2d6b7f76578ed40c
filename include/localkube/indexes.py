"""Completion indexes as Jobs write them: "0-3,5,9" for a set of numbers."""

from __future__ import annotations

from collections.abc import Iterable


def compress(indexes: Iterable[int]) -> str:
    """Ranges of the sorted indexes; two neighbours are written with a comma, as Kubernetes does."""
    parts: list[str] = []
    run: list[int] = []
    for index in [*sorted(indexes), None]:
        if run and (index is None or index != run[-1] + 1):
            parts.append(
                str(run[0]) if len(run) == 1 else f"{run[0]}{',' if len(run) == 2 else '-'}{run[-1]}"
            )
            run = []
        if index is not None:
            run.append(index)
    return ",".join(parts)


def expand(text: str | None) -> set[int]:
    """The set of numbers that `compress` wrote."""
    indexes: set[int] = set()
    for part in (text or "").split(","):
        if part:
            first, _, last = part.partition("-")
            indexes.update(range(int(first), int(last or first) + 1))
    return indexes

"""Numbers as they are published: to six significant digits, which is more than any of them is known to."""

from __future__ import annotations

from collections.abc import Iterable


def rounded(value: float) -> float:
    """One number."""
    return float(f"{value:.6g}")


def all_rounded(values: Iterable[float]) -> list[float]:
    """Each of them."""
    return [rounded(value) for value in values]

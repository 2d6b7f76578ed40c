"""Numbers as they are published: to six significant digits, more than any of them is known to."""

from __future__ import annotations

from collections.abc import Iterable


def rounded(value: float) -> float:
    """Round one number."""
    return float(f"{value:.6g}")


def all_rounded(values: Iterable[float]) -> list[float]:
    """Round each of them."""
    return [rounded(value) for value in values]

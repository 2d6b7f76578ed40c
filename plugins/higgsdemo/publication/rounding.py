"""Numbers as they are published: to six significant digits, more than any of them is known to."""

from collections.abc import Iterable


def round_number(value: float) -> float:
    """Round one number."""
    return float(f"{value:.6g}")


def round_all(values: Iterable[float]) -> list[float]:
    """Round each of them."""
    return [round_number(value) for value in values]

"""How many shards of a run may fail: as many as its campaign tolerates in all, and of each dataset."""

from collections.abc import Mapping
from decimal import Decimal

from higgsdemo.run import Run


def tell_excess(run: Run, failed: Mapping[str, int], shards: Mapping[str, int]) -> str | None:
    """Say in which way more shards have failed than may, by dataset or in all; None when no more have."""
    for dataset, count in failed.items():
        if count > (most := allowed(run.dataset_tolerance, shards[dataset])):
            return f"{count} of {shards[dataset]} shards of {dataset} have no result, {most} may fail"
    count, total = sum(failed.values()), sum(shards.values())
    if count > (most := allowed(run.tolerance, total)):
        return f"{count} of {total} shards have no result, {most} may fail"
    return None


def allowed(tolerance: int | float | None, shards: int) -> int:
    """Return how many of ``shards`` may fail by a count or a fraction, as it was written; all for None."""
    if tolerance is None:
        return shards
    return int(Decimal(str(tolerance)) * shards) if isinstance(tolerance, float) else tolerance

"""What the first results in a run's folder count: a run that goes on there must count the same.

Results of two selections, two binnings or two definitions of good data must not be added up. Those of a
program that somebody has mended may be, and the run's page says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from higgsdemo.operators.base import TaskFailedForGood
from higgsdemo.run import Run
from higgsdemo.run_folder import RECORD
from higgsdemo.wording import quote

if TYPE_CHECKING:
    from higgsdemo.publication.summary import RunRecord
    from higgsdemo.storage.object_store import ObjectStore

PROGRAM = ("image", "command", "env")


def read_folder(run: Run) -> tuple[ObjectStore, RunRecord | None]:
    """Return a run's folder, and the record in it of who has planned the run before, if anybody has."""
    from higgsdemo.publication.summary import RUN_RECORD
    from higgsdemo.storage.documents import read_document
    from higgsdemo.storage.object_store import ObjectStore

    output = ObjectStore(run.output, run.output_connection)
    return output, read_document(output, RECORD, RUN_RECORD) if output.exists(RECORD) else None


def results_of(run: Run, datasets: Iterable[str], certified: Mapping[str, bytes]) -> dict[str, Any]:
    """Return what decides what the results of a run count, by names for people.

    :param certified: files of certified sections by dataset; of the others, all events count.
    """
    bins = {
        f"histogram {one.name}": f"{one.from_ or one.name}: {one.bins} bins from {one.low} to {one.high}"
        for one in run.histograms
    }
    events = {
        f"events of {name}": f"certified {sha256(certified[name]).hexdigest()[:8]}"
        if name in certified
        else "all"
        for name in sorted(datasets)
    }
    program = {name: getattr(run, name) for name in PROGRAM}
    return program | {"workload": run.workload, "triggers": sorted(run.triggers)} | bins | events


def compare_results(earlier: RunRecord, now: Mapping[str, Any], folder: str) -> list[str]:
    """Return remarks on a program that is not that of the first results in a run's folder.

    :raises TaskFailedForGood: when these count something else than those of `now` would.
    """
    first = earlier.results or {f"events of {name}": "all" for name in earlier.datasets}  # of version 0.1
    others = {name: first[name] for name, value in now.items() if first.get(name, value) != value}
    if told := ", ".join(f"{name} {quote(others[name])}" for name in others if name not in PROGRAM):
        raise TaskFailedForGood(
            f"the run in {folder} has begun with {told}, and no results of both may be added up: resume it "
            "with that, or begin another run"
        )
    return [
        f"this run has begun with the {name} {quote(value)}: results of both are added up"
        for name, value in others.items()
    ]

"""Work through the shards of one completion index.

Each shard is analysed, published and removed in turn, while the next one comes (`workload.inputs`). A shard
that fails does not stop the others: they are published before the pod fails.
"""

import json
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workload.certified import Counted
from workload.errors import BadInput, TryAgain, all_in_one
from workload.events import Events, Leptons, read_events
from workload.histogram import histogram, inside, weighted
from workload.inputs import Input, inputs, unfinished
from workload.live import LiveCopy
from workload.manifest import read_shards
from workload.outreach import select as outreach
from workload.quartets import Candidates
from workload.result import MOST_CANDIDATES, Analysis, Candidate, nothing, result_document
from workload.rules import RULES
from workload.selection import select as level4
from workload.settings import Settings
from workload.storage import put
from workload.used import peak_memory

Report = Callable[[str], None]
Select = Callable[[Leptons, Leptons], dict[str, Candidates]]
SELECTIONS: dict[str, Select] = {
    name: outreach if name == "outreach" else partial(level4, rules=rules) for name, rules in RULES.items()
}


def run(settings: Settings, report: Report) -> None:
    """Analyse and publish every shard of the index.

    Errors of single shards are raised after the last one; what concerns all, such as results that cannot be
    written, at once.

    :param report: takes one line for each shard.
    :raises BadInput: when no other attempt can help.
    :raises TryAgain: when one may.
    """
    shards = read_shards(settings.manifest, settings.index)

    live = LiveCopy(settings.live_url, settings.live_key, report)
    failures: dict[str, BadInput | TryAgain] = {}
    for given in inputs(shards, settings, unfinished(settings, report)):
        try:
            document = _process(given, settings, report)
        except (BadInput, TryAgain) as error:
            report(f"{given.shard.name}: {error}")
            failures[given.shard.name] = error
        else:
            put(settings.result_url(given.shard.name), document)
            live.tell(given.shard.source, document)
        finally:
            given.close()
    if failures:
        raise all_in_one(failures, len(shards))


def analyse(path: Path, name: str) -> Analysis:
    """Select and count the events of one file, which messages call `name`; raise `BadInput` for a bad one."""
    return count(read_events(path, name), level4)


def count(events: Iterable[Events], select: Select) -> Analysis:
    """Select and count events; raise what iterating them raises."""
    analysis = nothing()
    for some in events:
        counted = len(some.muons.counts)
        if some.sections is not None:
            certified = (analysis.certified or Counted()).plus(counted, some.sections)
            analysis = analysis._replace(certified=certified)
        found = select(some.muons, some.electrons)
        if some.triggered is not None:
            found = {channel: one.where(some.triggered[one.event]) for channel, one in found.items()}
        for channel, candidates in found.items():
            analysis.histograms[channel][:] += histogram(candidates.mass)
        analysis = analysis._replace(
            processed=analysis.processed + counted + some.left_out,
            branches=some.branches,
            simulated=some.simulated,
            candidates=_named(analysis.candidates, some.numbers, found),
        )
        if some.weights is not None:
            analysis = analysis._replace(weights=_weights(analysis.weights, some.weights, found))
    return analysis


def _named(
    before: list[Candidate] | None, numbers: NDArray[np.int64] | None, found: dict[str, Candidates]
) -> list[Candidate] | None:
    """Add the candidates in the histograms, up to one too many; None where events have no numbers."""
    if numbers is None:
        return None
    more = [
        (channel, *numbers[event].tolist(), float(mass))
        for channel, candidates in found.items()
        for event, mass in zip(*candidates.where(inside(candidates.mass)), strict=True)
    ]
    return [*(before or ()), *more][: MOST_CANDIDATES + 1]


def _weights(
    before: dict[str, Any] | None, weights: NDArray[np.float64], found: dict[str, Candidates]
) -> dict[str, Any]:
    """Add some events' weights and, in each bin, the weights of their candidates and the squares of these."""
    sums, squares = (
        {channel: weighted(one.mass, weights[one.event] ** power).tolist() for channel, one in found.items()}
        for power in (1, 2)
    )
    now: dict[str, Any] = {"processed": float(weights.sum()), "sums": sums, "squares": squares}
    if before is None:
        return now
    for name in ("sums", "squares"):
        for channel in found:
            now[name][channel] = np.add(before[name][channel], now[name][channel]).tolist()
    return now | {"processed": before["processed"] + now["processed"]}


def _process(given: Input, settings: Settings, report: Report) -> bytes:
    """Analyse a shard and return its result document; in test mode read its events and discard them."""
    shard, ready = given.shard, given.seconds
    began, cpu = time.monotonic(), time.process_time()
    if settings.test_mode:
        analysis = nothing()
        for _ in given:
            pass
    else:
        analysis = count(given, SELECTIONS[settings.rules])
        if analysis.weights is not None and shard.lumi is not None:
            raise BadInput("it has genWeight, which only simulated events have, and its dataset is of data")
    compute = time.monotonic() - began - (given.seconds - ready)  # without the time spent waiting for events
    counts = ", ".join(f"{channel} {counts.sum()}" for channel, counts in analysis.histograms.items())
    certified = f" ({analysis.certified.events} certified)" if analysis.certified else ""
    report(
        f"{shard.name}: {given.received} bytes in {given.seconds:.2f} s, "
        f"{analysis.processed} events{certified} in {compute:.2f} s; {counts}"
    )
    document = result_document(
        shard,
        settings.dataset,
        analysis,
        received=given.received,
        stage_in=given.seconds,
        compute=compute,
        test_mode=settings.test_mode,
        rules=settings.rules,
        used={"memory": peak_memory(), "cpu_seconds": round(time.process_time() - cpu, 3)},
    )
    return json.dumps(document).encode()

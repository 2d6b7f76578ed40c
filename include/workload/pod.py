"""Work through the shards of one completion index.

Each shard is staged in, analysed, published and removed before the next, so a pod needs room for one.
A bad shard does not stop the others: they are published first, and only then does the pod say so.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

from workload.errors import BadInput
from workload.events import read_events
from workload.histogram import histogram
from workload.live import LiveCopy
from workload.manifest import Shard, read_shards
from workload.result import Analysis, nothing, result_document
from workload.selection import select
from workload.settings import TEST_MODE_DPATH, Settings
from workload.stage_in import Throttle, stage_in
from workload.storage import exists, put

Report = Callable[[str], None]


def run(settings: Settings, report: Report) -> None:
    """Analyse and publish every shard of the index; `report` is told a line for each.

    Raises `BadInput` after the last shard if any was bad, and other `WorkloadError` at once.
    """
    shards = read_shards(settings.manifest, settings.index)
    throttle = Throttle(settings.download_limit) if settings.download_limit else None
    live = LiveCopy(settings.live_url, settings.live_key, report)
    bad = []
    for shard in shards:
        result_url = f"{settings.output_url}/{shard.name}.json"
        if settings.skip_existing and exists(result_url):
            report(f"{shard.name}: has a result already")
            continue
        try:
            document = _process(shard, settings, throttle, report)
            put(result_url, document)
            live.tell(shard.url, document)
        except BadInput as error:
            report(f"{shard.name}: bad input")
            bad.append(str(error))
    if bad:
        summary = f"{len(bad)} of {len(shards)} shards are bad: " if len(shards) > 1 else ""
        raise BadInput(summary + "; ".join(bad))


def analyse(path: Path, name: str) -> Analysis:
    """Select and count the events of one file; `name` is what messages call it. Raises `BadInput`."""
    analysis = nothing()
    processed = 0
    for events in read_events(path, name):
        processed += len(events.muons.counts)
        for channel, candidates in select(*events).items():
            analysis.histograms[channel][:] += histogram(candidates.mass)
    return analysis._replace(processed=processed)


def _process(shard: Shard, settings: Settings, throttle: Throttle | None, report: Report) -> bytes:
    """Stage a shard in, analyse it, remove it; returns its result document."""
    staged = Path(TEST_MODE_DPATH) if settings.test_mode else settings.input_dir / f"{shard.name}.root"
    started = time.monotonic()
    try:
        size = stage_in(shard, staged, throttle)
        ready = time.monotonic()
        analysis = nothing() if settings.test_mode else analyse(staged, shard.url)
    finally:
        if not settings.test_mode:
            staged.unlink(missing_ok=True)
    done = time.monotonic()
    counts = ", ".join(f"{channel} {counts.sum()}" for channel, counts in analysis.histograms.items())
    report(
        f"{shard.name}: {size} bytes in {ready - started:.2f} s, "
        f"{analysis.processed} events in {done - ready:.2f} s; {counts}"
    )
    document = result_document(
        shard,
        settings.dataset,
        analysis,
        staged=size,
        stage_in=ready - started,
        compute=done - ready,
        test_mode=settings.test_mode,
    )
    return json.dumps(document).encode()

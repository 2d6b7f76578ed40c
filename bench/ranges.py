"""Read one large file: cut into ranges of its events and streamed, against staged in and read whole.

The file has five million simulated events in clusters of 100,000, as ROOT writes them; the ranges are those
that the listing of a campaign cuts. Both ways must select the same events, and the ranges together may read
at most 1.2 bytes for each that the needed branches hold. One process does all of it: what is compared is the
work, not the pods that would share it.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.measure import BenchError, load, measure
from bench.report import Report, Say, megabytes, number, table

MUCH = 1.2
CLUSTER = 100_000
Found = tuple[int, int, dict[str, list[int]]]
"""Bytes that came, events, and counts in the bins by channel."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument("--events", type=int, default=5_000_000, help="events of the file")
    parser.add_argument("--ranges", type=int, default=40, help="ranges it is cut into")


def run(options: argparse.Namespace, say: Say) -> Report:
    """Read the same file in both ways."""
    from higgsdemo.datasets.entry_ranges import entry_boundaries, entry_ranges

    path = options.folder / "large.root"
    say(f"Making a file of {options.events:,} events ...")
    _write(path, options.events)
    with path.open("rb") as file:
        boundaries = entry_boundaries(file) or []
    ranges = entry_ranges(boundaries, options.events // options.ranges)
    needed = _needed(path)
    say(f"Streaming {len(ranges)} ranges ...")
    streamed = measure(_stream, [(path, ranges)])
    say("Staging in and reading it whole ...")
    staged = measure(_stage_in, [(path, options.folder / "staged.root")])
    (received, *ours), (copied, *theirs) = streamed.results[0], staged.results[0]
    if ours != theirs or ours[0] != options.events:
        raise BenchError("the ranges do not add up to the whole file")
    if received > MUCH * needed:
        raise BenchError(f"the ranges read {received:,} bytes; the needed branches hold {needed:,}")
    found = table("Read", "shards", "MB read", "of the needed branches", "seconds", "CPU s", "memory MB")
    for name, shards, size, cost in (
        ("streamed", len(ranges), received, streamed.cost),
        ("staged in", 1, copied, staged.cost),
    ):
        took = (number(cost.seconds), number(cost.cpu), megabytes(cost.memory))
        found.add_row(name, str(shards), megabytes(size), f"{size / needed:.2f} ×", *took)
    finding = f"{options.events:,} events, the same histograms in all bins."
    return Report(__doc__.partition("\n")[2], found, (finding,), packages=("uproot", "obstore"))


def _write(path: Path, events: int) -> None:
    import uproot

    from generator.catalogue import demo_datasets
    from generator.detector import Reconstructed
    from generator.events import simulate
    from generator.root_file import COMPRESSION, write_events

    ttbar = next(dataset for dataset in demo_datasets() if dataset.group == "ttbar")

    def clusters() -> Iterator[tuple[Reconstructed, int]]:
        for cluster, first in enumerate(range(0, events, CLUSTER)):
            size = min(CLUSTER, events - first)
            yield simulate(ttbar, cluster, size, seed=1), size

    with uproot.recreate(path, compression=COMPRESSION) as file:
        write_events(file, clusters(), run=1, first_event=1)


def _needed(path: Path) -> int:
    import uproot

    from workload.rules import RULES

    with uproot.open(path) as file:
        names = RULES["level4"].branches(optional=False)
        return sum(int(file["Events"][name].compressed_bytes) for name in names)


def _stream(path: Path, ranges: list[tuple[int, int]]) -> Callable[[], Found]:
    from workload.events import read_events
    from workload.manifest import Shard
    from workload.pod import count
    from workload.remote import open_remote
    from workload.result import nothing
    from workload.selection import select

    load("uproot", "awkward")

    def work() -> Found:
        received, total = 0, nothing()
        for entries in ranges:
            remote = open_remote(Shard("large", path.as_uri(), path.stat().st_size, None))
            part = count(read_events(remote, "large", entries), select)
            received += remote.received
            for channel, counts in part.histograms.items():
                total.histograms[channel][:] += counts
            total = total._replace(processed=total.processed + part.processed)
        return received, total.processed, {name: h.tolist() for name, h in total.histograms.items()}

    return work


def _stage_in(path: Path, target: Path) -> Callable[[], Found]:
    from workload.manifest import Shard
    from workload.pod import analyse
    from workload.stage_in import stage_in

    load("uproot", "awkward")

    def work() -> Found:
        copied = stage_in(Shard("large", path.as_uri(), None, None), target)
        whole = analyse(target, "large")
        return copied, whole.processed, {name: h.tolist() for name, h in whole.histograms.items()}

    return work

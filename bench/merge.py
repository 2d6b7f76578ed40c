"""Merge the results of up to a million shards: memory and time against those of 26,920.

What `merge_results` does between reading and writing: each result is checked and added to the exact sums of
its dataset, and every shard counted once. Results come from memory, as the store's answers would, and are
those of simulated events without any selected; the shards are those of ten clusters with 68 datasets.

Then results are read from a store whose answers take 30 ms: as `merge_results` reads them, and one after the
other.
"""

import argparse
import json
import uuid
from collections.abc import Callable, Iterator

from bench.measure import BenchError, measure
from bench.report import Report, Say, megabytes, number, ratio, table
from bench.surroundings import BUCKET, CONNECTION, s3

FILES = (26_920, 100_000, 1_000_000)
CLUSTERS, DATASETS = 10, 68
ANSWER_IN = 0.03  # s, as a store in another region takes
FIELDS = ("mass4mu_8TeV_low", "mass4e_8TeV_low", "mass2mu2e_8TeV_low")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument("--files", type=int, nargs="+", default=FILES, help="numbers of files")
    parser.add_argument("--reads", type=int, default=1_000, help="results that are read from a store")


def run(options: argparse.Namespace, say: Say) -> Report:
    """Merge each number of results in a process of its own."""
    found = table("Results", "CPU s", "ms each", "peak MB", "more than at the start, kB each")
    each = kept = 0.0
    for files in options.files:
        say(f"Merging {files:,} results ...")
        measured = measure(_merge, [(files,)])
        (grown,), cost = measured.results, measured.cost
        each, kept = 1000 * cost.cpu / files, grown / files / 1000
        found.add_row(f"{files:,}", number(cost.cpu), f"{each:.2f}", megabytes(cost.memory), f"{kept:.2f}")
    keys = [f"results/D0/{index}.json" for index in range(options.reads)]
    say(f"Reading {len(keys):,} results ...")
    with s3(keys) as store:
        store.delay = ANSWER_IN
        together, in_turn = (measure(_read, [(keys, at_once)]).cost for at_once in (True, False))
    findings = (
        f"A result takes {each:.2f} ms of CPU and {kept:.2f} kB of memory.",
        f"{len(keys):,} results are read in {number(together.seconds)} s; one after the other takes "
        f"{ratio(together.seconds, in_turn.seconds)} that time.",
    )
    return Report(__doc__.partition("\n")[2], found, findings, packages=("pydantic", "obstore"))


def _read(keys: list[str], at_once: bool) -> Callable[[], int]:
    from higgsdemo.storage.object_store import ObjectStore

    store = ObjectStore(f"s3://{BUCKET}", CONNECTION)
    return lambda: sum(1 for _ in (store.read_all(keys) if at_once else map(store.read, keys)))


def _merge(files: int) -> Callable[[], int]:
    import psutil

    from higgsdemo.datasets.expected import ExpectedShards, Place
    from higgsdemo.results.document import BINS
    from higgsdemo.results.merge import Merge
    from higgsdemo.run_folder import result_key

    seconds = {"stage_in": 52.125, "compute": 200.25}
    common = {"processed": 30_000, "bytes": 2_600_000_000, "seconds": seconds, "lumi": None}
    plain = common | dict.fromkeys(FIELDS, [0] * BINS) | {"finished": "2026-01-02T03:04:05Z"}

    def names(dataset: int) -> Iterator[str]:
        for index in range(dataset, files, DATASETS):
            yield str(uuid.UUID(int=index)).upper()

    def shards(cluster: int) -> Iterator[Place]:
        for dataset in range(cluster, DATASETS, CLUSTERS):
            for name in names(dataset):
                yield Place(f"D{dataset}", name)

    def work() -> int:
        before = psutil.Process().memory_info().rss
        expected = ExpectedShards()
        for cluster in range(CLUSTERS):
            expected.add(f"cluster-{cluster}", shards(cluster))
        merge = Merge(expected)
        for dataset in range(DATASETS):
            raw = json.dumps(plain | {"samplename": f"D{dataset}"}).encode()
            for name in names(dataset):
                merge.add(result_key(f"D{dataset}", name), raw)
        if sum(total.shards for total in merge.datasets.values()) != files:
            raise BenchError(f"not every result was counted: {list(merge.corrupt.items())[:1]}")
        return int(psutil.Process().memory_info().rss - before)

    return work

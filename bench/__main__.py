"""The command: `make bench-submit`, or `python -m bench submit --files 1000`."""

import argparse
import signal
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from rich.console import Console

from bench.measure import BenchError
from bench.report import RESULTS, keep, show
from bench.surroundings import own_airflow

BENCHES = (
    *("submit", "watch", "list", "overhead", "page", "parse", "analysis", "ranges", "beside", "million"),
    *("localkube", "closure", "packing", "imitated", "stragglers", "waits", "merge", "rehearsal"),
    "campaigns",
)


def main(arguments: list[str] | None = None) -> int:
    """Run one bench, print its table and keep it; return the exit code."""
    console = Console(highlight=False)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is stopped
    with tempfile.TemporaryDirectory(prefix="higgs-bench-") as folder, own_airflow(Path(folder)):
        options = _options(sys.argv[1:] if arguments is None else arguments)
        options.folder = Path(folder)
        try:
            report = options.run(options, console.print)
        except BenchError as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    show(report, console)
    keep(report, options.bench, options.results)
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    """Read the command line, importing only the bench to run and what it needs."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("bench", choices=BENCHES)
    name = parser.parse_args(arguments[:1]).bench
    module = import_module(f"bench.{name}")
    own = argparse.ArgumentParser(prog=f"python -m bench {name}", description=module.__doc__)
    own.add_argument("--results", type=Path, default=RESULTS, help="the file that keeps the table")
    module.add_options(own)
    return own.parse_args(arguments[1:], argparse.Namespace(bench=name, run=module.run))


if __name__ == "__main__":
    sys.exit(main())

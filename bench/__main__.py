"""The command: `make bench-submit`, or `python -m bench submit --files 1000`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from rich.console import Console

from bench.measure import BenchError
from bench.report import RESULTS, keep, show
from bench.surroundings import own_airflow

BENCHES = ("submit", "watch", "list", "localkube")


def main(arguments: list[str] | None = None) -> int:
    """Run one bench, print its table and keep it; returns the exit code."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="higgs-bench-") as folder, own_airflow(Path(folder)):
        options = _parser().parse_args(arguments, argparse.Namespace(folder=Path(folder)))
        try:
            report = options.run(options, console.print)
        except BenchError as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    show(report, console)
    keep(report, options.bench, options.results)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    benches = parser.add_subparsers(required=True, metavar="bench", dest="bench")
    for name in BENCHES:
        module = import_module(f"bench.{name}")
        added = benches.add_parser(name, help=(module.__doc__ or "").partition("\n")[0])
        added.add_argument("--results", type=Path, default=RESULTS, help="the file that keeps the table")
        module.add_options(added)
        added.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""`python -m generator --output s3://bucket` writes the demo's simulated dataset."""

import argparse
import os
import sys
import time
from pathlib import Path

from generator.write import SEED, write_demo
from workload.errors import WorkloadError


def main() -> int:
    """Parse the command line, write, and say what was done; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m generator", description=__doc__)
    parser.add_argument("--output", required=True, help="s3://bucket, gs://bucket or a directory")
    parser.add_argument("--scale", type=float, default=1.0, help="events per file, relative (default 1)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"seed of the random numbers (default {SEED})")
    arguments = parser.parse_args()
    if arguments.scale <= 0:
        parser.error("--scale must be above 0")
    output = arguments.output if "://" in arguments.output else Path(arguments.output).resolve().as_uri()
    started = time.monotonic()
    try:
        outcome = write_demo(output.rstrip("/"), arguments.scale, arguments.seed, os.cpu_count() or 1)
    except WorkloadError as error:
        print(f"generator: {error}", file=sys.stderr)
        return 1
    seconds = time.monotonic() - started
    print(
        f"Simulated dataset in {arguments.output}: {outcome.files} files, "
        f"{outcome.written} written now ({outcome.size / 1e6:.0f} MB in {seconds:.1f} s)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

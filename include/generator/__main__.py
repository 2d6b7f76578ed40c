"""`python -m generator --output s3://bucket` writes the demo's simulated dataset."""

import argparse
import math
import os
import sys
import time
from pathlib import Path

from generator.output import Output
from generator.write import MIN_SCALE, Recipe, write_demo
from workload.errors import WorkloadError


def main() -> int:
    """Parse the command line, write the files, and report; return the exit code."""
    arguments = _arguments()
    started = time.monotonic()
    try:
        recipe = Recipe(arguments.scale, arguments.seed)
        output = arguments.output
        url = output if "://" in output else Path(output).resolve().as_uri()
        outcome = write_demo(Output(url), recipe, os.cpu_count() or 1)
    except WorkloadError as error:
        print(f"generator: {error}", file=sys.stderr)
        return 1
    written = "all there already"
    if outcome.written:
        seconds = time.monotonic() - started
        written = f"{outcome.written} written now ({outcome.size / 1e6:.0f} MB in {seconds:.1f} s)"
    print(f"Simulated dataset in {output}: {outcome.files} files, {written}")
    return 0


def _arguments() -> argparse.Namespace:
    recipe = Recipe()
    parser = argparse.ArgumentParser(prog="python -m generator", description=__doc__)
    parser.add_argument("--output", required=True, help="s3://bucket, gs://bucket or a directory")
    parser.add_argument(
        "--scale",
        type=float,
        default=recipe.scale,
        help=f"factor on the events of each file, {MIN_SCALE} or more (default {recipe.scale:g})",
    )
    parser.add_argument(
        "--seed", type=int, default=recipe.seed, help=f"of the events (default {recipe.seed})"
    )
    arguments = parser.parse_args()
    if not MIN_SCALE <= arguments.scale < math.inf:
        parser.error(f"--scale {arguments.scale:g}: allowed are numbers from {MIN_SCALE}")
    if arguments.seed < 0:
        parser.error(f"--seed {arguments.seed}: allowed are whole numbers from 0")
    return arguments


if __name__ == "__main__":
    sys.exit(main())

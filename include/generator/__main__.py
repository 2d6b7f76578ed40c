"""`python -m generator --output folder` writes the demo's simulated dataset."""

import argparse
import os
import sys
import time
from pathlib import Path

from generator.write import write_demo


def main() -> int:
    """Write the files, and report; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m generator", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the folder of the files")
    folder = parser.parse_args().output
    started = time.monotonic()
    try:
        written = write_demo(folder, os.cpu_count() or 1)
    except OSError as error:
        print(f"generator: {error}", file=sys.stderr)
        return 1
    told = (
        f"{written} files written in {time.monotonic() - started:.1f} s" if written else "all there already"
    )
    print(f"Simulated dataset in {folder}: {told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Run one way over a file, on one core: `python -m bench.selections project FILE REPEATS` prints JSON."""

import json
import os
import sys
import time
from importlib import import_module

from workload.used import peak_memory


def main(way: str, path: str, repeats: str) -> None:
    """Print the CPU seconds of each repeat, the peak memory in bytes and the selected events by channel."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    work = import_module(f"bench.selections.{way}").prepare(path)
    seconds = []
    for _ in range(int(repeats)):
        started = time.process_time()
        selected = work()
        seconds.append(time.process_time() - started)
    print(json.dumps({"seconds": seconds, "memory": peak_memory(), "selected": selected}))


if __name__ == "__main__":
    main(*sys.argv[1:])

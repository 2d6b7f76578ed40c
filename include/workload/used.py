"""What a shard takes of its pod: peak memory in bytes and CPU seconds, so that the next run asks for that."""

import os
import re
import resource
import sys
from pathlib import Path

PEAK = Path("/sys/fs/cgroup/memory.peak")
"""Of a container, since Linux 5.19. It includes files in memory, which count towards the limit as well."""
_STATUS, _OF_PROCESS = Path("/proc/self/status"), re.compile(r"^VmHWM:\s*(\d+) kB$", re.MULTILINE)
_CLOCK = re.compile(r"(\d{1,7})m(\d{1,2})[.,](\d{1,6})s")


def peak_memory() -> int:
    """Return the most that this container has had until now; where it is none, this process."""
    if os.getpid() == 1 and PEAK.exists():  # else the group may be that of the whole machine
        return int(PEAK.read_text())
    if _STATUS.exists() and (told := _OF_PROCESS.search(_STATUS.read_text())):
        return int(told[1]) << 10
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # on Linux at least what its parent held
    return most if sys.platform == "darwin" else most << 10


def read_used(told: str, beside: int) -> dict[str, int | float]:
    r"""Return what a command has taken, as its shell has told it: `times`, then the peak if known.

    :param told: the first line of `times` is of the shell itself, the second of its children.
    :param beside: peak of the sidecar, which has the same limit and holds files in memory.

    >>> read_used("0m0.01s 0m0.00s\n1m2.50s 0m0.50s\n4096\n", 100)
    {'cpu_seconds': 63.0, 'memory': 4096}
    """
    used: dict[str, int | float] = {}
    lines = told.splitlines()
    times = [_CLOCK.fullmatch(word) for word in (lines[1].split() if lines[1:] else ())]
    if found := [time for time in times if time]:
        used["cpu_seconds"] = sum(60 * int(time[1]) + float(f"{time[2]}.{time[3]}") for time in found)
    if lines[2:] and re.fullmatch(r"[0-9]{1,15}", lines[2]):
        used["memory"] = max(int(lines[2]), beside)
    return used

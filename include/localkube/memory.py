"""Memory use of containers, so that limits hold where there are no control groups of our own (Linux only)."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from localkube.reaper import processes

_PAGE = os.sysconf("SC_PAGE_SIZE")


def available() -> bool:
    """Whether this system tells."""
    return Path("/proc/self/smaps_rollup").exists()


def resident() -> dict[int, int]:
    """Bytes of resident memory for each session; pages shared between processes count for each of them."""
    totals: dict[int, int] = defaultdict(int)
    for _, session, pages in processes():
        totals[session] += pages * _PAGE
    return totals


def proportional(session: int) -> int:
    """Bytes of memory of one session, with shared pages divided among those who share them."""
    total = 0
    for pid, of, _ in processes():
        if of == session:
            with suppress(OSError):  # ended meanwhile
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                total += 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total

"""Memory use of containers, so that limits hold where there are no control groups of our own (Linux only)."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def available() -> bool:
    """Whether this system tells."""
    return (_PROC / "self" / "smaps_rollup").exists()


def resident() -> dict[int, int]:
    """Bytes of resident memory for each session; pages shared between processes count for each of them."""
    totals: dict[int, int] = defaultdict(int)
    for entry in os.scandir(_PROC):
        if entry.name.isdigit():
            try:
                fields = Path(entry.path, "stat").read_bytes().rpartition(b")")[2].split()
            except OSError:
                continue  # ended meanwhile
            totals[int(fields[3])] += int(fields[21]) * _PAGE
    return totals


def proportional(session: int) -> int:
    """Bytes of memory of one session, with shared pages divided among those who share them."""
    total = 0
    for entry in os.scandir(_PROC):
        if not entry.name.isdigit():
            continue
        try:
            if int(Path(entry.path, "stat").read_bytes().rpartition(b")")[2].split()[3]) == session:
                lines = Path(entry.path, "smaps_rollup").read_text().splitlines()
                total += 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except OSError:
            continue  # ended meanwhile
    return total

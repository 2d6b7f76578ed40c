"""Kills every container when the server dies, however it dies; run as a process of its own.

Containers report themselves on standard input ("+PID", the server later "-PID"). End of input means that the
server is gone: a kill -9 closes the pipe too. It imports next to nothing, to start at once and stay small.
"""

import os
import signal
from contextlib import suppress


def main() -> None:
    """Remember the groups, and kill those that are left at the end of input."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    rest = b""
    while chunk := os.read(0, 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            (groups.add if line.startswith(b"+") else groups.discard)(int(line[1:]))
    for group in groups:
        with suppress(OSError):  # ended by itself in this moment
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()

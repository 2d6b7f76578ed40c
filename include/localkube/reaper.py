"""Ends what a server leaves behind, however it died; run as a process of its own.

Containers report themselves on standard input ("+PID", the server later "-PID"). End of input means that
the server is gone: a kill -9 closes the pipe too. Then all groups that are left are killed, and the
directory that is given as argument, where the volumes in memory are, is removed. Next to nothing is
imported, to start at once.
"""

import os
import signal
import sys
from contextlib import suppress


def main() -> None:
    """Remember the groups of containers until the end of input."""
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
    if len(sys.argv) > 1:
        import shutil

        shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()

"""Kills every container when the server dies, however it dies; run as a process of its own.

Containers report themselves on standard input ("+PID", the server later "-PID"). End of input means that the server
is gone: a kill -9 closes the pipe too. It imports nothing, so that it starts at once and stays small.
"""

import os
import signal


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    rest = b""
    while chunk := os.read(0, 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            (groups.add if line.startswith(b"+") else groups.discard)(int(line[1:]))
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except OSError:
            pass  # ended by itself in this moment


if __name__ == "__main__":
    main()

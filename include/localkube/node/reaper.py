"""Kill what a server leaves behind, however it died; run as a separate process.

Containers report themselves on standard input ("+PID", the server later "-PID"). End of input means that the
server is gone: a kill -9 closes the pipe, too. Then all remaining sessions are killed. It imports next to
nothing, to start at once.
"""

import os
import signal
from contextlib import suppress


def main() -> None:
    """Track the sessions of containers until the end of input."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sessions: set[int] = set()
    rest = b""
    while chunk := os.read(0, 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            (sessions.add if line.startswith(b"+") else sessions.discard)(int(line[1:]))
    kill(sessions)


def kill(sessions: set[int]) -> None:
    """Kill these sessions: the process group of each leader, and (on Linux) the other groups it has."""
    for leader in sessions:
        with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM if only a zombie is left
            os.killpg(leader, signal.SIGKILL)
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            with suppress(ProcessLookupError, PermissionError):  # it has ended meanwhile
                if os.getsid(int(name)) in sessions:
                    os.kill(int(name), signal.SIGKILL)


if __name__ == "__main__":
    main()

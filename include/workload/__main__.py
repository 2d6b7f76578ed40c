"""The process that a pod runs: `python -m workload`, or a step for another analysis (`workload.steps`).

Input by environment: SHARD_MANIFEST (a JSON-lines file) and JOB_COMPLETION_INDEX (its line), INPUT_DIR
(where shards are staged), OUTPUT_URL (where results go), DATASET; optional READ (`stream` reads shards where
they lie), DPATH (`/dev/null` downloads and discards), DOWNLOAD_LIMIT_KBPS, SKIP_EXISTING, CA_CERTIFICATES,
and the storage variables of `workload.storage`.
Output: `<OUTPUT_URL>/<shard>.json` for every shard of the index.

Exit code 0: every shard has its result. 65: some input is bad, so retrying has no effect; the good shards
have their results. Anything else: try again. The reason is the last line on standard error and of the pod's
termination message; with several shards, each failed one has a line before it that begins with its name.
"""

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn

from workload.errors import Misconfigured, WorkloadError
from workload.settings import Settings, read_settings
from workload.steps import bring, publish
from workload.trust import trusting

_MESSAGE_LIMIT = 4096
"""Bytes of a termination message that Kubernetes keeps."""
_SHORTEST = 200
"""Bytes of a line that are kept when it is cut; below that, fewer lines are kept instead."""


def main() -> int:
    """Run this process's index.

    :returns: the exit code.
    """
    _exit_promptly_on(signal.SIGTERM)
    try:
        settings = read_settings(os.environ)
        with trusting(os.environ):
            _carry_out(sys.argv[1:], settings)
    except WorkloadError as error:
        _tell(str(error))
        return error.exit_code
    return 0


def _carry_out(words: list[str], settings: Settings) -> None:
    def report(line: str) -> None:
        print(line, flush=True)

    match words:
        case []:
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # starting threads costs more than the sums
            from workload.pod import run  # numpy and uproot only once there is something to do

            run(settings, report)
        case ["stage-in"]:
            bring(settings, report)
        case ["publish"]:
            publish(settings, os.environ, report)
        case _:
            raise Misconfigured(f"there is no {' '.join(words)!r}: it is stage-in, publish or nothing")


def _exit_promptly_on(wanted: signal.Signals) -> None:
    """End the process at once on a signal, even while a library call blocks the main thread.

    A Python signal handler waits for that call to return, and process 1 of a container has no default action.
    Nothing is lost: results are single PUTs.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(wanted, lambda number, frame: None)

    def wait() -> NoReturn:
        number = os.read(reader, 1)[0]
        _tell(f"stopped by {signal.Signals(number).name}")
        os._exit(128 + number)

    threading.Thread(target=wait, daemon=True).start()


def _tell(reason: str) -> None:
    lines = [" ".join(line.split()) for line in reason.splitlines()]
    print(*lines, sep="\n", file=sys.stderr, flush=True)
    message = Path(os.environ.get("TERMINATION_MESSAGE_PATH", "/dev/termination-log"))
    with contextlib.suppress(OSError):  # the file exists only in Kubernetes
        message.write_bytes(_fitting(lines))


def _fitting(lines: list[str]) -> bytes:
    """Join lines to a termination message: cut the longest to one length, and drop lines before the last."""
    encoded = [line.encode() for line in lines]
    while len(encoded) > 1 and _room(encoded) < min(_SHORTEST, max(map(len, encoded))):
        del encoded[-2]
    room = _room(encoded)
    return b"\n".join(line[:room].decode(errors="ignore").encode() for line in encoded)


def _room(lines: list[bytes]) -> int:
    """Return the length to cut lines to so that they fit; short lines leave their room to long ones."""
    left = _MESSAGE_LIMIT - (len(lines) - 1)
    for done, length in enumerate(sorted(map(len, lines))):
        share = left // (len(lines) - done)
        if length > share:
            return share
        left -= length
    return _MESSAGE_LIMIT


if __name__ == "__main__":
    sys.exit(main())

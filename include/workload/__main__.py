"""The process that a pod runs: `python -m workload`, or `... beside` a command (`workload.beside`).

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
import gc
import io
import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn

from workload import beside
from workload.errors import Misconfigured, WorkloadError, system_errors_in_words
from workload.settings import Settings, read_settings
from workload.trust import trusting

_MESSAGE_LIMIT = 4096  # bytes of a termination message that Kubernetes keeps
_SHORTEST = 200  # bytes of a line that are kept when it is cut; below that, fewer lines are kept instead


def main() -> int:
    """Run this process's index, and return the exit code."""
    is_sidecar = sys.argv[1:] == ["beside"]
    _exit_promptly_on(signal.SIGTERM, silently=is_sidecar)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may be no Unicode
    code = 0
    try:
        settings = read_settings(os.environ)
        with system_errors_in_words(), trusting(os.environ):
            _carry_out(sys.argv[1:], settings)
    except WorkloadError as error:
        _tell(str(error), beside.work_dir(os.environ) / "reason" if is_sidecar else _message_path())
        code = error.exit_code
    if is_sidecar:
        beside.end(code, os.environ)
    return code


def _carry_out(words: list[str], settings: Settings) -> None:
    def report(line: str) -> None:
        print(line, flush=True)

    match words:
        case []:
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # starting threads costs more than the sums
            gc.disable()  # imports leave no garbage, and looking for it is a quarter of them
            from workload.pod import run  # numpy and uproot only once there is something to do

            gc.enable()
            run(settings, report)
        case ["beside"]:
            beside.serve(settings, os.environ, report)
        case _:
            raise Misconfigured(f"there is no {' '.join(words)!r}: it is beside or nothing")


def _exit_promptly_on(wanted: signal.Signals, *, silently: bool) -> None:
    """End the process at once on a signal, even while a library call blocks the main thread.

    A sidecar gets it when there is nothing left to do, so it ends silently: with 0, and without a reason. A
    Python signal handler waits for that call to return, and process 1 of a container has no default action.
    Nothing is lost: results are single PUTs.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(wanted, lambda number, frame: None)

    def wait() -> NoReturn:
        number = os.read(reader, 1)[0]
        if silently:
            os._exit(0)
        _tell(f"stopped by {signal.Signals(number).name}", _message_path())
        os._exit(128 + number)

    threading.Thread(target=wait, daemon=True).start()


def _message_path() -> Path:
    return Path(os.environ.get("TERMINATION_MESSAGE_PATH", "/dev/termination-log"))


def _tell(reason: str, path: Path) -> None:
    lines = [" ".join(line.split()) for line in reason.splitlines()]
    print(*lines, sep="\n", file=sys.stderr, flush=True)
    with contextlib.suppress(OSError):  # a termination message has its file only in Kubernetes
        path.write_bytes(_fitting(lines))


def _fitting(lines: list[str]) -> bytes:
    """Join lines to a termination message: cut the longest to one length, and drop lines before the last."""
    encoded = [line.encode(errors="backslashreplace") for line in lines]
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

"""Watches that no trigger holds up the event loop, in which all waits of a triggerer are."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

PLUGINS = "/plugins/higgsdemo/"
BLOCKING = {
    "time.sleep",
    "subprocess.Popen",
    "os.system",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
}
_watched: dict[int, list[str]] = {}


@contextmanager
def loop_watched() -> Iterator[None]:
    """Refuse what our code does in this thread that waits for something else than the event loop."""
    told, sleep = _watched.setdefault(threading.get_ident(), []), time.sleep

    def noted(seconds: float) -> None:  # Python tells of it from 3.13 on
        _note("time.sleep", (seconds,))
        sleep(seconds)

    time.sleep = noted
    try:
        yield
    finally:
        time.sleep = sleep
        _watched.pop(threading.get_ident())
    assert told == []


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watched or event not in BLOCKING or (told := _watched.get(threading.get_ident())) is None:
        return
    if event == "socket.connect" and arguments[0].gettimeout() == 0:
        return  # the loop's own way, which waits for nothing
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if PLUGINS in frame.f_code.co_filename:
            told.append(f"{event} by {frame.f_code.co_qualname}")
            return
        frame = frame.f_back


sys.addaudithook(_note)

"""Why a program has failed, in one line: the useful one of what it has printed, which is rarely the last.

Airflow has the same rule for images that do it all themselves (`higgsdemo.kubernetes.last_words`).
"""

import re
import signal

_CMSSW = re.compile(r"^An exception of category '.*' occurred.*", re.MULTILINE)
_MORE = re.compile(r"Additional Info:\s*(?:\[\w+\]\s*)?(.+)")
_TRACEBACK = "Traceback (most recent call last):\n"
_PYTHON = re.compile(r"^[A-Za-z_][\w.]*(?::.*)?$", re.MULTILINE)  # the first line that is not indented


def useful_line(code: int | None, log: str) -> str:
    r"""Return why a command has ended so: exit code or signal, and a line of the end of its log.

    :param code: as its shell saw it; None when it was ended before it had one.

    >>> useful_line(1, "Traceback (most recent call last):\n  File ...\nValueError: no events\nbye")
    'the command ended with exit code 1: ValueError: no events'
    """
    line = line_of(log)
    return f"the command {_end(code)}{': ' if line else ''}{line}"


def _end(code: int | None) -> str:
    if code is None:
        return "was ended before it was through"
    try:
        name = signal.Signals(code - 128).name
    except ValueError:
        return f"ended with exit code {code}"
    return f"was ended by {name}"


def line_of(log: str) -> str:
    """Return the useful line of the end of a log; nothing where all are blank."""
    if found := _CMSSW.search(log):
        more = _MORE.search(log, found.end())
        return found[0].strip() + (f" {more[1].strip()}" if more else "")
    _, traceback, after = log.rpartition(_TRACEBACK)
    if traceback and (raised := _PYTHON.search(after)):
        return raised[0]
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1] if lines else ""

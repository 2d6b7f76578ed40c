"""Why a program has failed, in one line: the useful one of the end of its log, which is rarely the last.

The sidecar has the same rule (`workload.last_words`), in an image of its own: neither is where the other is.
"""

import re

_CMSSW = re.compile(r"^An exception of category '.*' occurred.*", re.MULTILINE)
_MORE = re.compile(r"Additional Info:\s*(?:\[\w+\]\s*)?(.+)")
_TRACEBACK = "Traceback (most recent call last):\n"
_PYTHON = re.compile(r"^[A-Za-z_][\w.]*(?::.*)?$", re.MULTILINE)  # the first line that is not indented


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

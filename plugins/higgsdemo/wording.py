"""How errors are worded, so that a wrong key, dataset or file is reported in one voice everywhere.

A message says what was given, what is allowed and, where a word looks misspelt, what was probably meant.
"""

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError

LONGEST_QUOTE = 200
LONGEST_LINE, LONGEST_MESSAGE = 500, 2000  # characters; a key may have 1024
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]*@")
_COLOURS = re.compile(r"(?:\x1b\[|\x9b)[0-9;:]*m")


class ExplainedError(Exception):
    """An error with a printable message that tells a person everything.

    :param final: whether asking again would fail alike; by default as for errors of its kind.
    """

    final = False

    def __init__(self, message: str, *, final: bool | None = None) -> None:
        super().__init__("\n".join(printable(line, LONGEST_MESSAGE) for line in message.split("\n")))
        self.final = type(self).final if final is None else final


def printable(text: str, limit: int = LONGEST_LINE) -> str:
    r"""Return text from outside, such as a key, as one line without anything that a terminal would obey.

    Each control or format character, such as one that turns the direction of text, is written as its escape.

    >>> printable("a\u202etoor.b\x07")
    'a\\u202etoor.b\\u0007'
    """
    shown = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text[:limit])
    return shown if len(text) <= limit >= len(shown) else shown[: limit - 1] + "…"


def printable_lines(text: str) -> list[str]:
    """Return the lines of a log from outside, each `printable`, without its colours."""
    return [printable(line) for line in _COLOURS.sub("", text).splitlines()]


def quote(value: Any) -> str:
    """Quote `value` as JSON: shortened, with the credentials of a URL masked, and printable anywhere."""
    text = _CREDENTIALS.sub("***@", json.dumps(value, ensure_ascii=False, default=repr))
    if len(text) > LONGEST_QUOTE:
        text = text[: LONGEST_QUOTE - 4] + " ..."
    return printable(text)


def first_fault(error: ValidationError) -> str:
    """Return the first thing that pydantic finds wrong, with its field and a value that is a number or text.

    The branch of a union, and the mark of a key, are no parts of the field's path.
    """
    fault = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in fault["loc"] if not str(part).startswith(("<", "[")))
    given = f" (it is {quote(fault['input'])})" if isinstance(fault["input"], int | float | str) else ""
    why = fault["msg"].removeprefix("Value error, ") + ("" if fault["type"] == "json_invalid" else given)
    return f"{where}: {why}" if where else why


def one_of(options: Iterable[str]) -> str:
    """List quoted options: `"a", "b" or "c"`."""
    quoted = [quote(option) for option in options]
    return " or ".join(filter(None, [", ".join(quoted[:-1]), *quoted[-1:]]))


def did_you_mean(word: Any, options: Iterable[str]) -> str:
    """Return `; did you mean "..."?` for the option most like `word`, or nothing when none is similar."""
    folded = {option.casefold(): option for option in options}
    close = difflib.get_close_matches(str(word).casefold(), folded, n=1, cutoff=0.7)
    return f"; did you mean {quote(folded[close[0]])}?" if close else ""


def align(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as plain text: the first column to the left, numbers and the others to the right."""
    left, *right = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = ("  ".join([f"{row[0]:<{left}}", *map(str.rjust, row[1:], right)]).rstrip() for row in rows)
    return "\n".join(lines)

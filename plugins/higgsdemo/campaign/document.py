"""Read JSON as strictly as a campaign needs it, before anyone looks at its content.

Refused anywhere: a key given twice (JSON would silently keep one), values that JSON does not have, and
template markers, which Airflow would fill in if the text ever became a templated field.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from higgsdemo.campaign.problems import CampaignError, Path, Problem
from higgsdemo.wording import quote

DEEPEST = 12
LARGEST_INTEGER = 2**53
LARGEST_FILE = 4_000_000
_MARKERS = ("{{", "{%", "{#")
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")  # of two that JSON writes as escapes; no UTF-8 has one alone
_CUT = "where a character is cut in half: write it whole, or leave it out"
_TEMPLATED = "notifications"  # the one field whose texts Airflow fills in


class _Object(dict[str, Any]):
    """A JSON object that remembers repeated keys."""

    repeated: tuple[str, ...] = ()


def read_document(path: FilePath) -> Any:
    """Read the JSON file `path`; raise CampaignError, with line and column, when it is no JSON."""
    try:
        content = path.read_bytes()
        if len(content) <= LARGEST_FILE:
            return parse_json(content.decode("utf-8-sig"))
        problem = f"is larger than {LARGEST_FILE} bytes"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 text (byte {error.start})"
    except ValueError as error:
        problem = f"is not JSON: {error}"
    raise CampaignError(str(path), [Problem((), problem)], root="the file")


def parse_json(text: str) -> Any:
    """Parse JSON; raise ValueError, with line and column, when it is none."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise ValueError(_syntax_problem(error)) from None
    except RecursionError:
        raise ValueError(f"it is nested deeper than {DEEPEST} levels") from None


def check_document(value: Any, source: str, root: str) -> None:
    """Raise CampaignError with the problems that make a document wrong for any campaign."""
    if problems := list(document_problems(value)):
        raise CampaignError(source, problems, root)


def document_problems(value: Any, path: Path = ()) -> Iterator[Problem]:
    """Return the problems that make a document wrong for any campaign."""
    if len(path) > DEEPEST:
        yield Problem(path[:3], f"is nested deeper than {DEEPEST} levels")
    elif isinstance(value, dict):
        for key in getattr(value, "repeated", ()):
            yield Problem(path, f"has the field {quote(key)} twice")
        for key, item in value.items():
            if isinstance(key, str) and any(marker in key for marker in _MARKERS):
                yield Problem(path, f"has a field with a template marker in its name: {quote(key)}")
            elif isinstance(key, str) and _HALF_CHARACTER.search(key):
                yield Problem(path, f"has the field {quote(key)}, {_CUT}")
            else:
                yield from document_problems(item, (*path, str(key)))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from document_problems(item, (*path, number))
    elif isinstance(value, str):
        if _HALF_CHARACTER.search(value):
            yield Problem(path, f"is {quote(value)}, {_CUT}")
        elif path[:1] != (_TEMPLATED,) and any(marker in value for marker in _MARKERS):
            yield Problem(
                path, f"is {quote(value)}; templates ({', '.join(_MARKERS)}) are not filled in here"
            )
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield Problem(path, "is no finite number")
    elif isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            yield Problem(path, "is too large a number")
    elif value is not None:
        yield Problem(path, f"is a {type(value).__name__}, which JSON does not have")


def _syntax_problem(error: json.JSONDecodeError) -> str:
    """Say where a text is not JSON and why; Python itself names a trailing comma only from 3.13 on."""
    if not error.doc.strip():
        return "it is empty"
    comma = error.doc.rfind(",", 0, error.pos + 1)
    behind, before_error = error.doc[comma + 1 :].lstrip(), error.doc[comma + 1 : error.pos].strip()
    if comma >= 0 and not before_error and behind[:1] in ("}", "]"):
        error = json.JSONDecodeError("a comma too many before the end", error.doc, comma)
    return f"line {error.lineno}, column {error.colno}: {error.msg}"


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    made = _Object(pairs)
    if len(made) < len(pairs):
        made.repeated = tuple(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
    return made


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")

"""Turn all mistakes in a campaign into one message for the person who wrote it.

A problem names the field as people write it (`mapping[2].nodes`), its value and what is allowed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import ValidationError

from higgsdemo.wording import did_you_mean, one_of, quote

MOST_LINES = 20
HERE_OR_IN_DEFAULTS = ", here or in defaults"  # where a field that an entry of the mapping lacks may be set

Path = tuple[str | int, ...]
_PLAIN_NAME = re.compile(r"[A-Za-z$][A-Za-z0-9_-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake; `text` continues the sentence that the field at `path` begins.

    `{other}` in it stands for another field, the one at `other`.
    """

    path: Path
    text: str
    other: Path = ()

    @property
    def said(self) -> str:
        return self.text.replace("{other}", field(self.other)) if self.other else self.text


class CampaignError(ValueError):
    """A campaign cannot run as written; the message names its source and `root`, and lists every problem."""

    def __init__(self, source: str, problems: Iterable[Problem], root: str = "the campaign") -> None:
        self.source = source
        self.problems = tuple(problems)
        self.root = root
        shown = self.problems[:MOST_LINES]
        lines = [f"{field(problem.path) or root} {problem.said}" for problem in shown]
        if more := len(self.problems) - len(shown):
            lines.append(f"and {more} more")
        if len(lines) == 1:
            super().__init__(f"{source}: {lines[0]}")
        else:
            super().__init__("\n- ".join([f"{source} has {len(self.problems)} problems:", *lines]))


def field(path: Path) -> str:
    """Write a path as people do: `("mapping", 2, "nodes")` is `mapping[2].nodes`."""
    text = ""
    for part in path:
        plain = isinstance(part, str) and _PLAIN_NAME.fullmatch(part)
        text += f".{part}" if plain else f"[{quote(part)}]"
    return text.removeprefix(".")


def problems_of(error: ValidationError) -> list[Problem]:
    """Return pydantic's errors in our words."""
    problems = []
    for detail in error.errors(include_url=False, include_context=False):
        if detail["type"] == "default_factory_not_called":
            continue  # another field, which has its own problem, decides this one
        # "<...>" is a union's branch.
        path = tuple(part for part in detail["loc"] if not str(part).startswith("<"))
        problems.append(Problem(path, _text(detail["type"], detail["input"], detail["msg"])))
    return problems


def _text(kind: str, value: object, message: str) -> str:
    match kind:
        case "rule" | "unknown_field" | "missing_field":
            return message
        case "literal_error":
            options = re.findall("'([^']*)'", message)
            hint = did_you_mean(value, options).replace("; ", ": ")
            return f"is {quote(value)}; it must be {one_of(options)}{hint}"
        case "too_short":
            return "is empty; it needs at least one entry"
        case "list_type":
            return f"is {quote(value)}; it must be a list"
        case "model_type" | "dict_type":
            return f"is {quote(value)}; it must be an object"
        case "bool_type":
            return f"is {quote(value)}; it must be true or false"
        case _:
            return f"is {quote(value)}: {message}"

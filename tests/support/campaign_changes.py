"""Ways to spoil a campaign's document."""

import copy
from collections.abc import Callable
from typing import Any

Document = dict[str, Any]
Change = Callable[[Document], Document]
Refusal = Callable[[Document], str]


def with_changes(document: Document, changes: dict[str, Any]) -> Document:
    """Return a copy with the values at some paths, such as `mapping.0.nodes`, replaced.

    A value is removed by `...`, which a table writes "…".
    """
    changed = copy.deepcopy(document)
    for path, value in changes.items():
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        part: Any = changed
        for parent in parents:
            part = part[parent]
        if value in (..., "…"):
            del part[last]
        else:
            part[last] = value
    return changed

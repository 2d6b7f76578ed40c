"""Cases of tests that lie in a table: the YAML file of a test file's stem, beside it.

What fits above a test stands there. A family of documents, and what is told of each, reads better as YAML.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

Test = TypeVar("Test", bound=Callable[..., Any])


def cases(test: Test) -> Test:
    """Parametrize a test with the table under its name: arguments, and a case a line, or titles with cases.

    An argument in parentheses is a fixture's.
    """
    tables = yaml.safe_load(Path(test.__code__.co_filename).with_suffix(".yaml").read_text(encoding="utf-8"))
    for arguments, table in tables[test.__name__].items():
        titles, rows = (list(table), list(table.values())) if isinstance(table, dict) else (None, table)
        names = [name.strip() for name in arguments.split(",")]
        fixtures = [name[1:-1] for name in names if name.startswith("(")]
        named = ",".join(name.strip("()") for name in names)
        test = pytest.mark.parametrize(named, rows, ids=titles, indirect=fixtures)(test)
    return test

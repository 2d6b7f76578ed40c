"""The cases of tests that lie in a table: a YAML file beside the test file, of the same stem.

A table stands under the name of its test: names of arguments, and a case a line, or titles with cases.
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml


@cache
def tables(tests: Path) -> dict[str, dict[str, Any]]:
    """Return the tables of a test file by the tests' names; most files have none."""
    path = tests.with_suffix(".yaml")
    found: dict[str, dict[str, Any]] = (
        yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    )
    return found

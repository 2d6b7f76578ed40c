"""Docstrings keep one convention: `:param`, `:returns`, `:raises`; ruff checks their mood and layout."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def documented(path: Path) -> Iterator[tuple[Documented, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Documented):
            yield node, ast.get_docstring(node) or ""


def names(node: Documented) -> set[str]:
    """Parameters of a function; of a class, also those of its methods, and its fields."""
    return {
        inner.arg if isinstance(inner, ast.arg) else inner.target.id
        for inner in ast.walk(node)
        if isinstance(inner, ast.arg)
        or (isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name))
    }


@pytest.mark.parametrize("folder", ["plugins", "include", "dags", "bench", "examples"])
def test_docstrings_name_parameters_that_exist_and_errors_as_fields(folder: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {text.splitlines()[0]}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node, text in documented(path)
        if {*re.findall(r"(?m)^:param (\w+):", text)} - names(node)
        or re.search(r"(?m)^(Raises|Returns) ", text)
        or re.search(r"[.;] Raises [A-Z`]", text)
    ]
    assert wrong == []

"""internals/reliability.md and security.md name tests that exist, each once, and that are never skipped."""

import ast
import re
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"
PAGE = DOCS / "internals" / "reliability.md"
SECURITY = DOCS / "security.md"
ROW = re.compile(r"^\| .* \| `(test_\w+\.py)::(test_\w+)` \| .+ \| .+ \|$")
PASSES_UNSEEN = re.compile(r"pytest\.(mark\.)?(skip|xfail|importorskip)")


def named() -> list[tuple[str, str]]:
    """File and name of the test in each row of the tables of faults."""
    faults = PAGE.read_text().split("## Faults")[1].split("## Soak")[0]
    rows = [line for line in faults.splitlines() if line.startswith("| ") and "| ---" not in line]
    found = [ROW.match(line) for line in rows if not line.startswith("| fault |")]
    assert all(found), "a row names no test"
    return [(row[1], row[2]) for row in found if row]


def there() -> dict[tuple[str, str], list[str]]:
    """Return the source of each test, with its decorators and what its whole file is marked with."""
    tests = defaultdict(list)
    for path in TESTS.rglob("test_*.py"):
        body = ast.parse(path.read_text()).body
        marks = [ast.unparse(node) for node in body if ast.unparse(node).startswith("pytestmark")]
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                tests[path.name, node.name].append("\n".join([*marks, ast.unparse(node)]))
    return tests


def test_at_least_forty_faults_are_injected_each_by_a_test_of_its_own() -> None:
    assert len(named()) == len(set(named())) >= 40


def test_every_test_that_the_page_names_is_there_once_and_is_never_passed_over() -> None:
    tests = there()
    of_keys = re.findall(r"`(test_\w+\.py)::(test_\w+)`", SECURITY.read_text())
    assert of_keys
    assert [test for test in (*named(), *of_keys) if len(tests[test]) != 1] == []
    assert [test for test in (*named(), *of_keys) if PASSES_UNSEEN.search(tests[test][0])] == []

"""docs/reliability.md names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "reliability.md"
ROW = re.compile(r"^\| .* \| `(test_\w+\.py)::(test_\w+)` \| .+ \| .+ \|$")


def named() -> list[tuple[str, str]]:
    """File and name of the test in each row of the tables of faults."""
    faults = PAGE.read_text().split("## Faults")[1].split("## Soak")[0]
    rows = [line for line in faults.splitlines() if line.startswith("| ") and "| ---" not in line]
    found = [ROW.match(line) for line in rows if not line.startswith("| fault |")]
    assert all(found), "a row names no test"
    return [(row[1], row[2]) for row in found if row]


def test_at_least_forty_faults_are_injected() -> None:
    assert len(set(named())) >= 40


def test_every_test_that_the_page_names_is_there() -> None:
    there = {
        (path.name, name)
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert sorted(set(named()) - there) == []

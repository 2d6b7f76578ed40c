"""The significance of the Higgs boson on the page, in a real browser."""

from typing import Any

import pytest

from airflow_runs import airflow_run
from browser import CHROMIUM
from higgsdemo.page.snapshot import Snapshot
from higgsdemo.page.state import run_state
from page_alone import FITTED, shown

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

WITHOUT_DATA = dict.fromkeys(FITTED) | {"expected_significance": 3.68, "statement": "<b>no event</b> of data"}


def state(**summary: Any) -> dict[str, Any]:
    """What the page is told of a merged run with that summary."""
    return run_state(airflow_run("success"), Snapshot(summary=summary, complete=True), "")


def test_what_a_merged_run_has_found_is_told() -> None:
    with shown(state(discovery=FITTED)) as page:
        box = page.get_by_role("region", name="Significance of the Higgs boson")
        box.wait_for()
        assert box.inner_text().split("\n") == [
            "Significance of the Higgs boson",
            *("Observed", "3.6σ"),
            *("Expected", "3.7σ"),
            *("Signal strength", "0.95 +0.43 −0.35"),
        ]


def test_why_there_is_none_is_told_as_text() -> None:
    with shown(state(discovery=WITHOUT_DATA)) as page:
        page.get_by_text("No observed significance: <b>no event</b> of data").wait_for()
        assert page.locator("#discovery").inner_text().split("\n") == ["Expected", "3.7σ"]


@pytest.mark.parametrize("summary", [{}, {"discovery": None}], ids=["of an earlier version", "own analysis"])
def test_a_run_that_says_nothing_of_it_shows_nothing(summary: dict[str, Any]) -> None:
    with shown(state(**summary)) as page:
        page.locator("#run").wait_for()
        assert page.locator("#discovery-box").is_hidden()

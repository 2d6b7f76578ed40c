"""The significance of the Higgs boson on the page, in a real browser."""

from typing import Any

import pytest

from airflow_runs import airflow_run
from browser import CHROMIUM
from higgsdemo.page.snapshot import Snapshot
from higgsdemo.page.state import run_state
from page_alone import shown

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

FITTED = {
    "observed_significance": 3.63,
    "expected_significance": 3.68,
    "signal_strength": 0.953,
    "signal_strength_interval": [0.6, 1.384],
    "statement": None,
}
WITHOUT_DATA = dict.fromkeys(FITTED) | {"expected_significance": 3.68, "statement": "<b>no event</b> of data"}


def state(**summary: Any) -> dict[str, Any]:
    """What the page is told of a merged run with that summary."""
    return run_state(airflow_run("success"), Snapshot(summary=summary, complete=True), "")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_a_merged_run_has_found_is_told(scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed")
    with shown(state(discovery=FITTED), color_scheme=scheme) as page:
        box = page.get_by_role("region", name="Significance of the Higgs boson")
        box.wait_for()
        assert box.inner_text().split("\n") == [
            "Significance of the Higgs boson",
            *("Observed", "3.6σ"),
            *("Expected", "3.7σ"),
            *("Signal strength", "0.95 +0.43 −0.35"),
        ]
        violations = axe.Axe().run(page, context="#discovery-box").response["violations"]
        assert [found["id"] for found in violations] == []


def test_why_there_is_none_is_told_as_text() -> None:
    with shown(state(discovery=WITHOUT_DATA)) as page:
        page.get_by_text("No observed significance: <b>no event</b> of data").wait_for()
        assert page.locator("#discovery").inner_text().split("\n") == ["Expected", "3.7σ"]


@pytest.mark.parametrize("summary", [{}, {"discovery": None}], ids=["of an earlier version", "own analysis"])
def test_a_run_that_says_nothing_of_it_shows_nothing(summary: dict[str, Any]) -> None:
    with shown(state(**summary)) as page:
        page.locator("#run").wait_for()
        assert page.locator("#discovery-box").is_hidden()

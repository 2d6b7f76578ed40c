"""The page of a campaign of which not everything is analysed, in a real browser: it calls nothing none."""

from typing import Any

import pytest

from airflow_runs import airflow_run
from browser import CHROMIUM
from higgsdemo.page.snapshot import Snapshot
from higgsdemo.page.state import run_state
from higgsdemo.physics.normalisation import normalise
from higgsdemo.publication.chart import chart
from page_alone import shown
from result_documents import catalogue, merged, recorded, sample, stored

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

KNOWN = catalogue(
    sample("mu", "data", channels=("4mu", "2e2mu"), files=1),
    sample("e", "data", channels=("4e",), files=1),
    sample("zz", "zz", channels=("4mu", "4e"), files=1),
    sample("h", "higgs", files=1),
)
EXPECTED = {"MU": 1, "E": 1, "ZZ": 1, "H": 1}


def state(*results: tuple[str, bytes]) -> dict[str, Any]:
    """What the page is told of a run with these results."""
    numbers = chart(normalise(merged(results).datasets, KNOWN, EXPECTED), KNOWN)
    return run_state(airflow_run(), Snapshot(chart=numbers, complete=True), "")


def test_groups_are_shown_in_the_channels_of_which_events_were_processed() -> None:
    results = [recorded("E", "x", 100, {"4e": {18: 3}}), stored("ZZ", "x", 100, {"4mu": {18: 1}})]
    with shown(state(*results)) as page:
        canvas, readout = page.locator("#canvas"), page.locator("#readout")
        legend = page.locator("#legend li:visible")
        legend.first.wait_for()
        assert legend.all_inner_texts() == [
            "Data"
        ]  # of ZZ in 4e, and without luminosity in 4mu, nothing is drawn
        rows = [row.split("\t")[0] for row in page.locator("#yields tbody tr").all_inner_texts()]
        assert rows == ["Data", "Expected", "ZZ"]

        page.locator("input[value='4mu']").check(force=True)
        assert page.locator("#legend").is_hidden()
        assert canvas.get_attribute("aria-label").endswith("channel 4μ: 0.00 expected.")
        canvas.focus()
        page.keyboard.press("ArrowRight")
        assert readout.inner_text() == "124 to 127 GeV: expected 0.00 ± 0.00 (ZZ → 4ℓ 0.00)"
        page.locator("details:has(#bins) summary").click()
        heads = page.locator("#bins th[scope=col]")
        heads.first.wait_for()  # the browser says later that the table is open
        assert heads.all_inner_texts() == ["GeV", "Expected", "ZZ → 4ℓ"]

        page.locator("input[value='2e2mu']").check(force=True)
        assert page.locator("#legend").is_hidden()
        canvas.focus()
        page.keyboard.press("ArrowRight")
        assert readout.inner_text() == "124 to 127 GeV: nothing analysed yet"


def test_before_any_result_nothing_is_called_none() -> None:
    with shown(state()) as page:
        page.locator("#yields thead").wait_for(state="attached")
        assert page.locator("#yields tbody tr").count() == 0
        assert page.locator("#legend").is_hidden()
        assert (
            page.locator("#canvas").get_attribute("aria-label").endswith("channel All: nothing analysed yet.")
        )

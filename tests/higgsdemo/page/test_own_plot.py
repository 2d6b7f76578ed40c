"""The page of an analysis of one's own, in a real browser: its histograms, each with an axis of its own."""

from typing import Any

import numpy as np
import pytest

from airflow_runs import airflow_run
from browser import CHROMIUM
from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.page.snapshot import Snapshot
from higgsdemo.page.state import run_state
from higgsdemo.physics.spectra import OwnSpectra
from higgsdemo.publication.spectra_plot import own_chart
from page_alone import shown
from result_documents import NOTE, catalogue

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

MASS = HistogramSpec(name="dimuon_mass", bins=60, low=60, high=120, label="Dimuon mass [GeV]")
FRACTION = HistogramSpec(name="fraction", bins=3, low=0, high=0.3)


def state() -> dict[str, Any]:
    """What the page is told of a run of 69 entries in one histogram and 6 in the other."""
    masses = np.zeros(60, dtype=np.int64)
    masses[[10, 30, 31]] = 1, 60, 8
    counts = {"muons": {"dimuon_mass": masses, "fraction": np.array([1, 2, 3])}}
    chart = own_chart(
        OwnSpectra((MASS, FRACTION), counts, shards_computed=3, shards_expected=4), catalogue(note=NOTE)
    )
    seen = Snapshot(
        counted={"muons": 3}, chart=chart, files=("spectrum.json",), read=3, found=3, complete=True
    )
    return run_state(airflow_run(), seen, "")


def test_each_histogram_is_drawn_read_out_and_listed() -> None:
    with shown(state()) as page:
        canvas, readout, title = (page.locator(f"#{name}") for name in ("canvas", "readout", "plot-title"))
        page.get_by_text("dimuon_mass").first.wait_for()
        assert page.locator("#discovery-box").is_hidden()
        assert title.inner_text() == "Dimuon mass [GeV]"
        assert canvas.get_attribute("aria-label") == (
            "Histogram of Dimuon mass [GeV]: 69 entries, most of them at 90 to 91."
        )
        canvas.focus()
        page.keyboard.press("ArrowRight")
        assert readout.inner_text() == "90 to 91: 60 entries"
        rows = page.locator("#yields tbody tr").all_inner_texts()
        assert [row.split("\t") for row in rows] == [["dimuon_mass", "69"], ["fraction", "6"]]
        assert page.locator("#legend li:visible").all_inner_texts() == ["Entries"]
        assert page.locator("#note").inner_text() == NOTE

        page.locator("input[value=fraction]").check(force=True)
        assert title.inner_text() == "fraction"
        canvas.focus()
        page.keyboard.press("ArrowRight")
        assert readout.inner_text() == "0.2 to 0.3: 3 entries"

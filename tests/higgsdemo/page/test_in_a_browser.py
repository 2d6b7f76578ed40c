"""The page in a real browser: what it shows of a run's state, which the tests make."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from airflow_runs import HIGGS, airflow_run
from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.page.snapshot import Snapshot
from higgsdemo.page.state import run_state
from higgsdemo.physics.normalisation import normalise
from higgsdemo.physics.spectra import OwnSpectra
from higgsdemo.publication.chart import chart, own_chart
from higgsdemo.results.candidates import SHOWN
from page_alone import FITTED, Shown
from result_documents import NOTE, catalogue, merged, named, recorded, sample, stored

FULL = "submit_jobs of kubecon-demo-1: no node has room <b>here</b>"


@pytest.mark.parametrize("ended", [True, False])
def test_what_failed_is_told_with_a_link_to_its_log_and_what_to_do(shown: Shown, ended: bool) -> None:
    tasks: dict[str, str | None] = {"plan": "success", "cluster.submit_jobs[1]": "failed"}
    reasons = {"cluster.submit_jobs[1]": "cluster kubecon-demo-1: no node has room <b>here</b>"}
    run = airflow_run("failed" if ended else "running", tasks=tasks, reasons=reasons)
    with shown(run_state(run, Snapshot(complete=True), ""), viewport={"width": 400, "height": 800}) as page:
        row = page.get_by_label("Cluster kubecon-demo-1").locator(".causes li")
        row.wait_for()
        assert row.inner_text() == f"{FULL} Log"
        banner = page.get_by_role("alert")
        assert banner.is_visible() == ended
        assert page.locator("#plot").is_visible() != ended  # an empty frame says nothing
        if ended:
            assert banner.locator("li").inner_text() == f"{FULL} Log"
            link = banner.get_by_role("link", name="Log").get_attribute("href")
            assert link.endswith("/runs/one/tasks/cluster.submit_jobs/mapped/1")
            told = banner.inner_text()
            assert "Mend it, then resume this run, or clear cluster.create_cluster" in told
        assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_a_run_that_was_not_planned_shows_why_and_no_empty_frame(shown: Shown) -> None:
    run = replace(airflow_run("failed", {"plan": "failed"}), assignments=())
    with shown(run_state(run, Snapshot(), ""), viewport={"width": 400, "height": 800}) as page:
        page.get_by_role("heading", name="What has failed").wait_for()
        for name in ("Shards", "Files", "Clusters"):
            assert page.get_by_role("heading", name=name, exact=True).is_hidden()


def test_why_a_shard_failed_is_within_a_narrow_screen(shown: Shown) -> None:
    lost = {"cluster": "kubecon-demo-1", "dataset": HIGGS, "shard": "a_long_name_of_a_file.root"}
    seen = Snapshot(failures=({**lost, "reason": "no ROOT file"},), stragglers=(lost,), complete=True)
    state = run_state(airflow_run("failed", {"plan": "success"}), seen, "")
    assert state["stragglers"] == []  # nobody waits for it
    with shown(state, viewport={"width": 400, "height": 800}) as page:
        reason = page.locator("#failures td").last
        reason.wait_for()
        box = reason.bounding_box()
        assert 0 <= box["x"] < box["x"] + box["width"] <= 400


def test_a_full_screen_shows_the_plot_and_a_checklist_of_the_stages(shown: Shown) -> None:
    tasks: dict[str, str | None] = {"plan": "success", "cleanup_jobs": None} | {
        f"cluster.{name}[{position}]": state
        for name, states in {
            "create_cluster": ("success", "success"),
            "prepull_image": ("skipped", "skipped"),
            "submit_jobs": ("success", None),
            "wait_for_jobs": ("deferred", None),
        }.items()
        for position, state in enumerate(states)
    }
    state = run_state(airflow_run(tasks=tasks), Snapshot(), "")
    with shown(state, permissions=["clipboard-read", "clipboard-write"]) as page:
        checklist = page.get_by_role("list", name="Checklist")
        page.get_by_role("button", name="Full screen").click()
        checklist.wait_for()
        assert [item.get_attribute("aria-label") for item in checklist.locator("li").all()] == [
            *("create: success", "prepare: skipped", "submit: running", "cleanup: to do"),
        ]
        assert page.locator("#plot").is_visible()
        assert page.locator("#files").is_hidden()
        page.evaluate("document.exitFullscreen()")
        checklist.wait_for(state="hidden")
        page.get_by_role("button", name="Copy link").click()
        page.get_by_role("button", name="Link copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == page.url


WITHOUT_DATA = dict.fromkeys(FITTED) | {"expected_significance": 3.68, "statement": "<b>no event</b> of data"}


def merged_run(**summary: Any) -> dict[str, Any]:
    return run_state(airflow_run("success"), Snapshot(summary=summary, complete=True), "")


def test_what_a_merged_run_has_found_is_told(shown: Shown) -> None:
    with shown(merged_run(discovery=FITTED)) as page:
        box = page.get_by_role("region", name="Significance of the Higgs boson")
        box.wait_for()
        assert box.inner_text().split("\n") == [
            "Significance of the Higgs boson",
            *("Observed", "3.6σ"),
            *("Expected", "3.7σ"),
            *("Signal strength", "0.95 +0.43 −0.35"),
        ]


def test_why_there_is_none_is_told_as_text(shown: Shown) -> None:
    with shown(merged_run(discovery=WITHOUT_DATA)) as page:
        page.get_by_text("No observed significance: <b>no event</b> of data").wait_for()
        assert page.locator("#discovery").inner_text().split("\n") == ["Expected", "3.7σ"]


@pytest.mark.parametrize("summary", [{}, {"discovery": None}], ids=["of an earlier version", "own analysis"])
def test_a_run_that_says_nothing_of_it_shows_nothing(shown: Shown, summary: dict[str, Any]) -> None:
    with shown(merged_run(**summary)) as page:
        page.locator("#run").wait_for()
        assert page.locator("#discovery-box").is_hidden()


MASS = HistogramSpec(name="dimuon_mass", bins=60, low=60, high=120, label="Dimuon mass [GeV]")
FRACTION = HistogramSpec(name="fraction", bins=3, low=0, high=0.3)


def own_run() -> dict[str, Any]:
    """Return what the page is told of a run: 69 entries in one histogram, weights of 0.5 in the other."""
    masses = np.zeros((2, 60))
    masses[:, [10, 30, 31]] = 1, 60, 8
    counts = {"muons": {"dimuon_mass": masses, "fraction": np.array([[0.25, -0.5, 0.75], [0.1, 0.2, 0.3]])}}
    spectra = OwnSpectra((MASS, FRACTION), counts, shards_computed=3, shards_expected=4, certified="7 of 9")
    chart = own_chart(spectra, catalogue(note=NOTE))
    seen = Snapshot(
        counted={"muons": 3}, chart=chart, files=("spectrum.json",), read=3, found=3, complete=True
    )
    return run_state(airflow_run(), seen, "")


def test_each_histogram_is_drawn_read_out_and_listed(shown: Shown) -> None:
    with shown(own_run()) as page:
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
        assert [row.split("\t") for row in rows] == [["dimuon_mass", "69"], ["fraction", "0.5"]]
        assert page.locator("#legend li:visible").all_inner_texts() == ["Entries"]
        assert page.locator("#note").inner_text() == NOTE
        assert page.locator("#coverage").inner_text() == "75.0% of the shards; 7 of 9"

        page.locator("input[value=fraction]").check(force=True)
        assert title.inner_text() == "fraction"
        canvas.focus()
        page.keyboard.press("ArrowRight")
        assert readout.inner_text() == "0.2 to 0.3: 0.75 entries"
        page.keyboard.press("ArrowLeft")
        assert readout.inner_text() == "0.1 to 0.2: -0.5 entries"


KNOWN = catalogue(
    sample("mu", "data", channels=("4mu", "2e2mu"), files=1),
    sample("e", "data", channels=("4e",), files=1),
    sample("zz", "zz", channels=("4mu", "4e"), files=1),
    sample("h", "higgs", files=1),
)
EXPECTED = {"MU": 1, "E": 1, "ZZ": 1, "H": 1}


def run_with(*results: tuple[str, bytes]) -> dict[str, Any]:
    merge = merged(results)
    sums = merge.candidates.once(merge.datasets, KNOWN)
    numbers = chart(normalise(sums, KNOWN, EXPECTED), KNOWN, merge.candidates.table(KNOWN))
    return run_state(airflow_run(), Snapshot(chart=numbers, complete=True), "")


def test_groups_are_shown_in_the_channels_of_which_events_were_processed(shown: Shown) -> None:
    results = [recorded("E", "x", 100, {"4e": {18: 3}}), stored("ZZ", "x", 100, {"4mu": {18: 1}})]
    with shown(run_with(*results)) as page:
        canvas, readout = page.locator("#canvas"), page.locator("#readout")
        legend = page.locator("#legend li:visible")
        legend.first.wait_for()
        # of ZZ in 4e, and without luminosity in 4mu, there is nothing, but perhaps not nothing in 4e
        assert legend.all_inner_texts() == ["Data", "Uncertainty"]
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


def test_candidates_are_a_table_under_the_plot_with_what_is_to_be_said_of_them(shown: Shown) -> None:
    events = [("4mu", 190000 + n, n, 10**10 + n, 100.0) for n in range(SHOWN + 1)]
    results = [named("MU", "x", events), named("MU", "y", events[:1]), recorded("E", "x", 9, {"4e": {18: 3}})]
    with shown(run_with(*results)) as page:
        rows = page.get_by_role("region", name="201 candidates by number").locator("tbody tr")
        rows.first.wait_for()
        assert rows.first.inner_text().split("\t") == ["190000:0:10000000000", "4μ", "100.0"]
        assert rows.count() == SHOWN
        assert page.locator("#candidates-told").inner_text() == (
            "1 event of data found in a second dataset or file: counted once. 3 events of data not named by "
            "their results: one that two datasets share counts twice. The first 200; all of them are in "
            "candidates.csv"
        )


def test_files_that_differ_are_told(shown: Shown) -> None:
    results = [recorded("MU", "x", 9, branches=["Muon_isGlobal"]), recorded("E", "x", 9)]
    with shown(run_with(*results)) as page:
        page.get_by_text("files differ in 1 branch").wait_for()


def test_before_any_result_nothing_is_called_none(shown: Shown) -> None:
    with shown(run_with()) as page:
        page.locator("#yields thead").wait_for(state="attached")
        assert page.locator("#yields tbody tr").count() == 0
        assert page.locator("#legend").is_hidden()
        told = page.locator("#canvas").get_attribute("aria-label")
        assert told.endswith("channel All: nothing analysed yet.")

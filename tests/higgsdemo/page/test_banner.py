"""Why a run has failed stands at the top of its page, and in the card of a cluster that has failed alone."""

import pytest

from airflow_runs import airflow_run
from browser import CHROMIUM
from higgsdemo.page.snapshot import Snapshot
from higgsdemo.page.state import run_state
from page_alone import shown

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

FULL = "submit_jobs of kubecon-demo-1: no node has room <b>here</b>"


@pytest.mark.parametrize("ended", [True, False])
def test_what_failed_is_told_with_a_link_to_its_log_and_what_to_do(ended: bool) -> None:
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
            assert "Mend it, then clear cluster.create_cluster" in banner.inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= 400

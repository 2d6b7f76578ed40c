"""The campaign page in a real browser, within the real Airflow."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from browser import Browser
from demo.bucket import Bucket
from demo_stack import DAG, Stack, eventually

if TYPE_CHECKING:
    from conftest import DemoRun


WIDE = {"width": 1400, "height": 1000}


@pytest.fixture(scope="module")
def screenshots(stack: Stack) -> Path:
    """Where the pictures of this test run are kept."""
    folder = stack.settings.state.parent / "screenshots"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def ask(stack: Stack) -> httpx.Client:
    """Return a logged in client of the page's own API."""
    return stack.client("/higgs/api")


def address(run: str) -> str:
    return f"/higgs/?dag_id={DAG}&run_id={run}"


def figure(page: Any, name: str) -> str:
    """One of the figures beside the plot."""
    text: str = page.locator("#figures div", has_text=name).locator("dd").inner_text()
    return text


@pytest.mark.parametrize(
    "path", ["api/campaigns", f"api/campaign?dag_id={DAG}", f"api/run?dag_id={DAG}&run_id=x"]
)
def test_who_is_not_logged_in_is_told_nothing(stack: Stack, path: str) -> None:
    assert httpx.get(f"{stack.settings.ui_url}/higgs/{path}", timeout=60).status_code == 401


def test_people_who_are_not_logged_in_are_led_to_the_login_and_back(browser: Browser) -> None:
    with browser.page(logged_in=False) as watched:
        watched.page.goto("/higgs/")
        assert "/auth/login" in watched.page.url
        browser.sign_in(watched.page)
        watched.page.get_by_role("heading", name="Campaigns").wait_for()


def test_only_runs_of_campaigns_and_their_own_files_are_shown(ask: httpx.Client, demo_run: "DemoRun") -> None:
    listed = {campaign["dag_id"] for campaign in ask.get("/campaigns").json()}
    assert DAG in listed
    assert "higgs_janitor" not in listed
    assert ask.get("/campaign", params={"dag_id": "no-such-dag"}).status_code == 404
    for run_id in ("no-such-run", "x" * 300):
        refused = ask.get("/run", params={"dag_id": DAG, "run_id": run_id})
        assert (refused.status_code, refused.json()["detail"][:15]) == (404, "there is no run")
    of_the_run = {"dag_id": DAG, "run_id": demo_run.name}
    for name in ("sums.json", "../undisturbed/summary.json", "results/x.json"):
        assert ask.get("/file", params={**of_the_run, "name": name}).status_code == 404
    plot = ask.get("/file", params={**of_the_run, "name": "plot"})
    assert plot.content == (demo_run.results / "higgs.png").read_bytes()
    picture = ask.get("/file", params={**of_the_run, "name": "higgs.svg"})
    assert picture.headers["Content-Security-Policy"].endswith("sandbox")
    assert picture.content == (demo_run.results / "higgs.svg").read_bytes()


def test_a_past_run_is_shown_with_a_handful_of_requests(
    browser: Browser, demo_run: "DemoRun", screenshots: Path
) -> None:
    with browser.page(viewport=WIDE) as watched:
        page = watched.page
        page.goto(address(demo_run.name))
        page.locator("#canvas[aria-label*='102 events in pseudo-data']").wait_for()
        assert figure(page, "Done") == "76 of 76"
        assert page.locator("#note").inner_text() == "Simulated data, not CMS collisions"
        assert page.locator("#luminosity").inner_text() == "2.3 fb⁻¹ (7 TeV) + 11.6 fb⁻¹ (8 TeV)"
        assert page.get_by_role("row", name="Pseudo-data").first.inner_text().split() == [
            "Pseudo-data",
            "102",
            "12",
        ]
        assert page.locator("#discovery").inner_text().split("\n") == [
            *("Observed", "3.6σ"),
            *("Expected", "3.6σ"),
            *("Signal strength", "0.97 +0.47 −0.37"),
        ]
        page.screenshot(path=screenshots / "past-run.png", full_page=True)
        assert len(watched.requests) <= 24
        assert (watched.complaints, watched.strangers) == ([], [])


def test_what_is_asked_for_every_second_is_small_and_not_sent_twice(
    ask: httpx.Client, demo_run: "DemoRun"
) -> None:
    query = {"dag_id": DAG, "run_id": demo_run.name}

    def complete() -> httpx.Response | None:
        answer = ask.get("/run", params=query)
        return answer if answer.json()["reading"]["complete"] else None

    answer = eventually(complete, "the run is read")
    assert len(answer.content) < 50_000
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    again = ask.get("/run", params=query, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_keyboard_reads_the_plot_bin_by_bin_and_switches_channels(
    browser: Browser, demo_run: "DemoRun"
) -> None:
    with browser.page(viewport=WIDE) as watched:
        page = watched.page
        page.goto(address(demo_run.name))
        page.locator("#canvas[aria-label]").focus()
        page.keyboard.press("ArrowRight")
        readout = page.locator("#readout")
        assert readout.inner_text().startswith("124 to 127 GeV: pseudo-data 7, expected 6.")
        page.keyboard.press("ArrowRight")
        assert readout.inner_text().startswith("127 to 130 GeV")
        page.get_by_role("radio", name="All").focus()
        page.keyboard.press("ArrowRight")
        page.locator("#canvas[aria-label*='channel 4μ']").wait_for()
        page.get_by_text("The plot as a table").click()
        page.locator("#bins tbody tr").nth(36).wait_for()
        assert page.locator("#bins tbody tr").count() == 37


def test_the_tab_of_a_run_leads_to_its_tasks(browser: Browser, demo_run: "DemoRun") -> None:
    with browser.page(viewport=WIDE) as watched:
        page = watched.page
        page.goto(f"/dags/{DAG}/runs/{demo_run.name}")
        page.get_by_role("link", name="Campaign", exact=True).click()
        frame = page.frame_locator("iframe[title=Campaign]")
        step = frame.get_by_role("region", name="Cluster kubecon-demo-1").get_by_role("link", name="run")
        step.click()
        page.wait_for_url(f"**/runs/{demo_run.name}/tasks/cluster.wait_for_jobs/mapped/1*")


def test_a_run_started_by_the_form_fills_the_page(
    stack: Stack, browser: Browser, demo_run: "DemoRun", screenshots: Path
) -> None:
    mapping = [
        {"name": "by-form-0", "datasets": ["Simulated_Run2012C_DoubleMuParked", "Simulated_ZZTo4mu_8TeV"]},
        {"name": "by-form-1", "datasets": ["Simulated_SMHiggsToZZTo4L_8TeV"]},
    ]
    known = set(run_ids(stack))
    with browser.page(viewport=WIDE) as watched:
        page = watched.page
        page.goto(f"/dags/{DAG}")
        page.get_by_role("button", name="Trigger").first.click()
        form = page.get_by_role("dialog")
        form.get_by_text("This run", exact=True).click()
        form.get_by_text("Names of the clusters to use; all by default.").wait_for()
        form.get_by_text("Changes to the campaign file for this run").click()
        editor = form.locator(".monaco-editor:visible").filter(has_text="datasets").first
        editor.locator(".view-line").first.click()
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(json.dumps(mapping))
        page.keyboard.press("Control+Shift+End")  # the brackets that the editor has closed by itself
        page.keyboard.press("Delete")
        form.get_by_role("button", name="Trigger", exact=True).click()
        run = eventually(lambda: next(iter(set(run_ids(stack)) - known), None), "the run is there")

        page.goto(f"/dags/{DAG}/runs/{run}/plugin/higgs-run")
        frame = page.frame_locator("iframe[title=Campaign]")
        frame.get_by_role("region", name="Cluster by-form-1").wait_for()
        seen = [figure(frame, "Done")]

        def filled() -> bool:
            if (now := figure(frame, "Done")) != seen[-1]:
                seen.append(now)
                page.screenshot(path=screenshots / f"live-{len(seen)}.png")
            return now == "16 of 16"

        eventually(filled, "all shards are shown as done")
        assert len(seen) >= 3
        frame.locator("#state", has_text="success").wait_for(timeout=480_000)
        assert quote(run, safe="") in str(frame.locator("#run-link").get_attribute("href"))
        seen_by_none = str(frame.locator("#canvas").get_attribute("aria-label"))
        assert "the Higgs boson is highest at 124 to 127 GeV" in seen_by_none
        assert (watched.complaints, watched.strangers) == ([], [])


def run_ids(stack: Stack) -> list[str]:
    runs: list[dict[str, Any]] = stack.airflow.campaign(DAG)["runs"]
    return [run["run_id"] for run in runs]


def test_a_failing_shard_shows_its_reason_and_its_log_as_text_and_the_run_is_resumed_by_two_clicks(
    stack: Stack, browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "<img src=x onerror=alert(1)>.root").write_bytes(b"no ROOT file")
    Bucket(stack.settings, "higgs-demo").upload(tmp_path)
    broken = {"url": "s3://higgs-demo/broken/", "name": "Broken"}
    run = stack.trigger("broken", mapping=[{"name": "broken", "datasets": [broken]}])
    with browser.page(viewport=WIDE) as watched:
        page = watched.page
        page.goto(address(run))
        page.get_by_role("heading", name="1 failed shard").wait_for(timeout=480_000)
        row = page.locator("#failures tbody tr")
        assert "not a readable ROOT file" in row.inner_text()
        row.get_by_text("Log").click()
        assert ".root" in row.locator("pre").inner_text()
        assert page.locator("#failures img").count() == 0
        assert (watched.complaints, watched.strangers) == ([], [])
        assert stack.finish(run) == "failed"

        page.get_by_role("button", name="Resume this run").click()
        page.get_by_role("button", name="Trigger", exact=True).click()
        page.wait_for_url(lambda url: f"run_id={run}" not in url)
        page.locator("#name", has_text="broken").wait_for()
    resumed = next(one for one in run_ids(stack) if one != run)
    assert stack.finish(resumed) == "failed"  # the file is what it was

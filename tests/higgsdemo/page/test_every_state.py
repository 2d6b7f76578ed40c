"""Every state of the page in a real browser, with pictures: readable at any width, usable by keyboard."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from airflow_runs import HIGGS, TTBAR, airflow_run
from higgsdemo.page.snapshot import Snapshot
from higgsdemo.page.state import run_state
from higgsdemo.physics.normalisation import normalise
from higgsdemo.publication.chart import chart
from page_alone import CAMPAIGN, FITTED, Shown
from result_documents import NOTE, catalogue, merged, recorded, sample, stored

PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 4"/>'
SIZES = ((320, 800), (400, 900), (768, 1000), (1440, 1000))
LISTED = {"kubecon-demo-0": {TTBAR: 4}, "kubecon-demo-1": {HIGGS: 10}}
GOES_ON: dict[str, str | None] = {
    "plan": "success",
    **{
        f"cluster.{step}[{n}]": "success"
        for step in ("create_cluster", "prepull_image", "list_dataset_shards", "submit_jobs")
        for n in (0, 1)
    },
    **{f"cluster.wait_for_jobs[{n}]": "deferred" for n in (0, 1)},
}
LOST = {"cluster": "kubecon-demo-1", "dataset": HIGGS, "shard": "a_long_name_of_a_file.root", "reason": "bad"}


def spectrum() -> dict[str, Any]:
    """Return the numbers of the plot of a small campaign with data and every group of simulated events."""
    known = catalogue(
        sample("mu", "data", files=1),
        *(sample(group, group, files=1) for group in ("zz", "dy", "ttbar", "higgs")),
        note=NOTE,
    )
    peak = {17: 2, 18: 9, 19: 3}
    results = [
        recorded("MU", "x", 100, {"4mu": {7: 4, 8: 6, **peak}, "4e": {30: 2}}),
        *(stored(name, "x", 9000, {"4mu": {7: 40, 8: 45, 30: 30, 34: 20}}) for name in ("ZZ", "DY", "TTBAR")),
        stored("HIGGS", "x", 9000, {"4mu": {n: 9 * events for n, events in peak.items()}}),
    ]
    expected = dict.fromkeys(("MU", "ZZ", "DY", "TTBAR", "HIGGS"), 1)
    merge = merged(results)
    numbers = chart(normalise(merge.datasets, known, expected), known, merge.candidates.table(known))
    numbers["candidates"]["shown"] = [(194108, 564, 571897782 + n, "2e2mu", 125.2, "MU") for n in range(30)]
    return numbers


def states() -> dict[str, dict[str, Any]]:
    """Return what the page is told of a run, from its start to each of its ends."""
    now, numbers = time.time(), spectrum()
    account = [["", "predicted", "took"], ["Core hours", "1.2", "1.4"], ["Cost", "0.30", "0.35"]]
    half = Snapshot(
        counted={TTBAR: 4, HIGGS: 4},
        finished={TTBAR: now - np.array([50.0, 40, 30, 20]), HIGGS: now - np.array([25.0, 20, 8, 4])},
        jobs={"kubecon-demo-1": {HIGGS: {"shards": {"running": 3}, "pods": {"running": 3, "pending": 2}}}},
        chart=numbers,
        read=8,
        found=8,
        account=account,
        remarks=('dataset A (data) is record 7, "/Mu/A": 3 of 4 files match *.root, 12 GB',),
        stragglers=({"cluster": "kubecon-demo-1", "dataset": HIGGS, "shard": "last.root"},),
    )
    whole = Snapshot(
        counted={TTBAR: 4, HIGGS: 10},
        chart=numbers,
        summary={"discovery": FITTED},
        files=("higgs.png", "summary.json"),
        account=account,
        complete=True,
    )
    refused = {"cluster.create_cluster[1]": "the cloud refuses\na second line"}
    return {
        "before the plan": run_state(airflow_run(), Snapshot(), ""),
        "not listed": run_state(airflow_run(tasks={"plan": "success"}), Snapshot(), ""),
        "going on": run_state(airflow_run(tasks=GOES_ON, listed=LISTED), half, ""),
        "failed before its Jobs": run_state(
            airflow_run(
                "failed", {"plan": "success", "cluster.create_cluster[1]": "failed"}, reasons=refused
            ),
            Snapshot(complete=True),
            "",
        ),
        "shards failed": run_state(
            airflow_run("failed", {"plan": "success", "cluster.wait_for_jobs[1]": "failed"}, LISTED),
            Snapshot(counted={TTBAR: 4, HIGGS: 9}, failures=(LOST,), chart=numbers, complete=True),
            "",
        ),
        "merged": run_state(airflow_run("success", listed=LISTED), whole, ""),
        "not to be read": run_state(airflow_run(), Snapshot(error="s3://results cannot be read"), ""),
    }


@pytest.fixture
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of this test run's pictures."""
    return tmp_path_factory.mktemp("pictures")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_read_every_state_of_the_page_at_every_width(
    shown: Shown, scheme: str, pictures: Path
) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-core is not installed"
    ).Axe()
    told: dict[str, Any] = {
        "campaigns": [
            CAMPAIGN | {"runs": [{"run_id": "r", "state": "success", "started": time.time(), "ended": None}]},
            {"dag_id": "new", "title": "Not run yet", "runs": []},
        ],
    }
    found = {}
    with shown({}, told, color_scheme=scheme) as page:
        page.route("**/api/file?*", lambda route: route.fulfill(body=PICTURE, content_type="image/svg+xml"))
        address = page.url
        for name, state in {**states(), "campaigns": None}.items():
            told["run"] = state
            page.goto(address if state else address.partition("?")[0])
            page.locator("#run:not([hidden]), #campaigns:not([hidden])").wait_for()
            assert page.evaluate("document.documentElement.dataset.theme") == scheme
            for width, height in SIZES if scheme == "light" else SIZES[::3]:  # dark, colours alone differ
                page.set_viewport_size({"width": width, "height": height})
                page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)
                page.screenshot(path=pictures / f"{name}-{width}-{scheme}.png", full_page=True)
            violations = axe.run(page).response["violations"]
            found[name] = [(one["id"], one["nodes"][0]["html"]) for one in violations]
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_a_run_is_shown_beside_another_of_its_campaign(shown: Shown) -> None:
    ours, memory = states()["merged"], "Memory used: half, 95%, all"
    ours["account"].append([memory, "", "1024Mi, 1024Mi, 1024Mi"])
    took = [["", "took"], ["Cost", "0.99"], [memory, "1010Mi, 1011Mi, 1012Mi"]]
    theirs = ours | {"account": took, "discovery": None}
    answers = iter([503, 200])  # Airflow is away for a moment
    with shown(ours, {}) as page:
        page.route(
            "**/api/run?*run_id=earlier", lambda route: route.fulfill(status=next(answers), json=theirs)
        )
        page.reload()
        page.get_by_text("Other runs").click()
        assert page.locator("#runs li").all_inner_texts() == ["success earlier"]
        link = page.get_by_role("link", name="earlier")
        assert link.get_attribute("href") == "?dag_id=mine&run_id=earlier"
        page.get_by_role("combobox", name="Compared with another run").select_option("earlier")
        page.locator("#comparison td").first.wait_for()
        rows = [row.split("\t") for row in page.locator("#comparison tbody tr").all_inner_texts()]
        box = page.locator("#compare")
        assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert rows == [
        ["Duration", "0 s", "0 s"],
        ["Shards done", "14", "14"],
        ["Observed", "26", "26"],
        ["Expected", "59.00", "59.00"],
        ["Significance", "3.6σ", "–"],
        ["Signal strength", "0.95", "–"],
        ["Core hours", "1.4", "–"],
        ["Cost", "0.35", "0.99"],
        [memory, "1024Mi, 1024Mi, 1024Mi", "1010Mi, 1011Mi, 1012Mi"],
    ]


def test_what_a_run_takes_is_told_so_far_until_it_has_ended_beside_what_plan_has_found(shown: Shown) -> None:
    with shown(states()["going on"]) as page:
        page.locator("#account-box summary").click()
        heads = page.locator("#account thead th").all_inner_texts()
        remarks = page.locator("#remarks li").all_inner_texts()
    assert heads == ["", "predicted", "so far"]
    assert remarks[0].startswith('dataset A (data) is record 7, "/Mu/A": 3 of 4 files')
    assert remarks[-1] == f"Still without a result: last.root of {HIGGS} in kubecon-demo-1"


def test_where_the_system_chooses_all_colours_the_plot_and_the_bars_keep_theirs(shown: Shown) -> None:
    with shown(states()["merged"], forced_colors="active") as page:
        page.locator("#canvas[aria-label]").wait_for()
        parts = (".swatch.higgs", ".swatch.zz", ".swatch.dy", ".swatch.ttbar", ".bar", ".bar .done")
        style = "name => getComputedStyle(document.querySelector(name)).backgroundColor"
        colours = {page.evaluate(style, name) for name in parts}
    assert len(colours) == len(parts)


def test_the_keyboard_alone_reaches_all_there_is_to_press(shown: Shown) -> None:
    with shown(states()["merged"]) as page:
        page.locator("#canvas[aria-label]").wait_for()
        page.keyboard.press("Tab")
        reached = set()
        while (
            focused := page.evaluate("""() => {
            const one = document.activeElement;
            return one === document.body ? null : one.id || one.name || one.textContent.trim();
        }""")
        ) is not None and len(reached) < 60:
            reached.add(focused)
            page.keyboard.press("Tab")
        assert reached >= {"run-link", "again", "Other runs", "canvas", "channel", "higgs.png"}

"""The buttons of a run that has ended: they trigger its campaign again, or what finishes the run."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_runs import airflow_run
from higgsdemo.page.snapshot import Snapshot
from higgsdemo.page.state import run_state
from page_alone import Shown

CONF = {"storage": {"output": "s3://mine"}, "max_shards": 3, "run_name": "one", "resume": False}
RUNS = "v2/dags/demo-local/dagRuns"


@pytest.mark.parametrize(
    ("button", "conf"),
    [
        ("Resume this run", {"storage": {"output": "s3://mine"}, "run_name": "broken", "resume": True}),
        ("Run again", {"storage": {"output": "s3://mine"}, "max_shards": 3}),
    ],
)
def test_a_run_that_has_ended_is_resumed_or_run_again_by_two_clicks(
    shown: Shown, button: str, conf: Any
) -> None:
    told = {f"{RUNS}/one": {"conf": CONF}, RUNS: {"dag_run_id": "two"}}
    with shown(run_state(airflow_run("failed", name="broken"), Snapshot(), ""), told) as page:
        page.get_by_role("button", name=button).click()
        page.get_by_role("dialog", name=button).wait_for()
        with page.expect_request(lambda request: request.method == "POST") as sent:
            page.get_by_role("button", name="Trigger").click()
        assert urlsplit(sent.value.url).path == f"/api/{RUNS}"
        assert json.loads(sent.value.post_data) == {"logical_date": None, "conf": conf}
        page.wait_for_url("**dag_id=demo-local&run_id=two")


def test_what_airflow_refuses_is_told_in_the_form(shown: Shown) -> None:
    with shown(run_state(airflow_run("failed"), Snapshot(), ""), {f"{RUNS}/one": {"conf": None}}) as page:
        page.get_by_role("button", name="Run again").click()
        page.locator("#trigger-conf").fill("{")
        page.get_by_role("button", name="Trigger").click()
        page.get_by_role("dialog").get_by_text("JSON").wait_for()
        schema = {"detail": "mapping is no list\n\nFailed validating 'type' in schema"}
        page.route(f"**/{RUNS}", lambda route: route.fulfill(status=400, json=schema))
        page.locator("#trigger-conf").fill("{}")
        page.get_by_role("button", name="Trigger").click()
        page.get_by_role("alert").get_by_text("mapping is no list", exact=True).wait_for()
        page.keyboard.press("Escape")
        assert page.get_by_role("dialog").is_hidden()


def test_a_conf_that_cannot_be_read_starts_no_run_of_the_whole_campaign(shown: Shown) -> None:
    told = {RUNS: {"dag_run_id": "two"}}
    with shown(run_state(airflow_run("failed", name="broken"), Snapshot(), ""), told) as page:
        page.route(f"**/{RUNS}/one", lambda route: route.fulfill(status=500, json={"detail": "no answer"}))
        page.get_by_role("button", name="Resume this run").click()
        page.get_by_role("alert").get_by_text("no answer").wait_for()
        page.get_by_role("button", name="Trigger").click()
        page.get_by_role("alert").get_by_text("JSON").wait_for()


@pytest.mark.parametrize(
    ("state", "listed", "buttons"),
    [("running", 4, []), ("success", 4, ["Run again"]), ("success", 5, ["Resume this run", "Run again"])],
)
def test_only_what_has_ended_is_run_again_and_what_lacks_a_result_resumed(
    shown: Shown, state: str, listed: int, buttons: list[str]
) -> None:
    run = airflow_run(state)
    first, second = ((one.cluster.name, one.cluster.datasets[0].name) for one in run.assignments)
    run.listed.update({first[0]: {first[1]: 4}, second[0]: {second[1]: listed}})
    seen = Snapshot(counted={first[1]: 4, second[1]: 4}, complete=True)
    with shown(run_state(run, seen, "")) as page:
        page.locator("#run").wait_for()
        assert page.locator(".heading .actions button:visible").all_inner_texts() == buttons

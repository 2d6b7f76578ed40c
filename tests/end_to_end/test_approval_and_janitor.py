"""How small runs end on real Airflow: who is asked, what the janitor finds, what goes on when files go."""

import json
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import create_engine, text

from demo_stack import Stack, eventually, release

JANITOR = "higgs_janitor"
CLUSTER = "released-0"


@pytest.fixture(scope="module")
def ask(stack: Stack) -> httpx.Client:
    """Return a logged in client of Airflow's REST API."""
    return stack.client("/api/v2")


class Campaign:
    """The campaign whose Jobs nobody stops, and the janitor, as somebody at the web interface has them."""

    def __init__(self, stack: Stack, ask: httpx.Client, dag: str) -> None:
        self.stack, self.ask, self.dag = stack, ask, dag

    def trigger(self, run: str, **conf: object) -> str:
        """Start a run."""
        self.stack.airflow.trigger(self.dag, run, {"run_name": run, **conf})
        return run

    def finish(self, run: str) -> str:
        """Return the state in which a run ends."""
        return self.stack.finish(run, self.dag)

    def task(self, run: str, task_id: str) -> str | None:
        """Return the state of a task."""
        found = self.stack.airflow.tasks(self.dag, run)
        return next((task.state for task in found if task.task_id == task_id), None)

    def question(self, run: str) -> str:
        """Return the path of the question that a run may ask."""
        return f"/dags/{self.dag}/dagRuns/{run}/taskInstances/choose_cleanup/-1/hitlDetails"

    def asked(self, run: str) -> dict[str, object]:
        """Return the question that a run waits to be answered."""
        there = eventually(
            lambda: found if (found := self.ask.get(self.question(run))).is_success else None,
            "somebody is asked",
        )
        return dict(there.json())

    def answer(self, run: str, choice: str) -> None:
        """Answer it, and again if need be.

        Airflow asks anew when an answer comes before its scheduler has heard that the task waits, which no
        person is quick enough for.
        """
        answer = {"chosen_options": [choice], "params_input": {}}

        def gone_on() -> bool:
            if self.task(run, "choose_cleanup") == "awaiting_input":
                self.ask.patch(self.question(run), json=answer)
            return self.task(run, "choose_cleanup") == "success"

        eventually(gone_on, "the answer is followed")

    def let_the_hour_pass(self, run: str) -> None:
        """Set back the time until which the question waits, once the scheduler has made it wait."""
        database = create_engine(self.stack.settings.database)
        asking = "dag_id = :dag AND run_id = :run AND state = 'awaiting_input'"

        def passed() -> bool:
            with database.begin() as connection:
                set_back = text(
                    "UPDATE task_instance SET trigger_timeout = datetime(trigger_timeout, '-59 minutes', "
                    f"'-59 seconds') WHERE {asking} AND trigger_timeout > datetime('now', '+50 minutes')"
                )
                return bool(connection.execute(set_back, {"dag": self.dag, "run": run}).rowcount)

        eventually(passed, "the question waits for an hour")
        eventually(lambda: self.task(run, "choose_cleanup") == "success", "nobody has answered")


def janitor(stack: Stack, ask: httpx.Client, run: str, remove: bool) -> list[str]:
    """Return what the janitor finds to be left over, by kind and cluster."""
    stack.airflow.trigger(JANITOR, run, {"remove": remove})
    assert stack.finish(run, JANITOR) == "success"
    path = f"/dags/{JANITOR}/dagRuns/{run}/taskInstances/look/xcomEntries/return_value"
    value = ask.get(path, params={"deserialize": False}).raise_for_status().json()["value"]
    found = json.loads(value) if isinstance(value, str) else value
    return sorted(f"{one['kind']} {one['cluster']}" for one in found)


def held(campaign: Campaign, run: str) -> psutil.Process:
    """Return the only pod of a run, which stands still, when its cluster is waited for."""

    def waited_for() -> psutil.Process | None:
        pods = campaign.stack.hold()
        return pods[0] if pods and campaign.task(run, "cluster.wait_for_jobs") == "deferred" else None

    return eventually(waited_for, "the cluster is waited for, with a pod", pause=0.15)


def test_clusters_that_work_are_deleted_when_nobody_answers_and_leftovers_by_the_janitor(
    stack: Stack, ask: httpx.Client
) -> None:
    campaign = Campaign(stack, ask, "released")
    eventually(
        lambda: stack.airflow.has_dag(JANITOR) and stack.airflow.has_dag("released"), "both DAGs are parsed"
    )
    run = campaign.trigger("kept")
    pod = held(campaign, run)
    wait = next(
        task for task in stack.airflow.tasks("released", run) if task.task_id == "cluster.wait_for_jobs"
    )
    stack.mark(run, wait, "failed", dag="released")
    question = campaign.asked(run)
    assert question["options"] == ["Delete the clusters", "Keep them"]
    assert f"* {CLUSTER}: 1 shards" in str(question["body"])
    assert janitor(stack, ask, "while-it-runs", remove=True) == []
    assert (stack.contexts(), pod.is_running()) == ([CLUSTER], True)

    campaign.answer(run, "Keep them")
    assert campaign.finish(run) == "failed"
    assert (campaign.task(run, "keep"), campaign.task(run, "cleanup_jobs")) == ("success", "skipped")
    assert (stack.contexts(), pod.is_running()) == ([CLUSTER], True)
    assert janitor(stack, ask, "lists", remove=False) == [f"cluster {CLUSTER}", f"objects {CLUSTER}"]
    assert (stack.contexts(), pod.is_running()) == ([CLUSTER], True)

    cleaned = campaign.trigger("deleted", stages=["cleanup"])
    campaign.asked(cleaned)
    campaign.let_the_hour_pass(cleaned)
    assert campaign.finish(cleaned) == "success"
    assert (stack.contexts(), pod.is_running()) == ([], False)

    assert campaign.finish(campaign.trigger("left", cleanup="jobs")) == "success"
    assert stack.contexts() == [CLUSTER]
    assert janitor(stack, ask, "removes", remove=True) == [f"cluster {CLUSTER}"]
    assert stack.contexts() == []
    assert janitor(stack, ask, "finds-nothing", remove=True) == []


def test_a_wait_marked_before_the_triggerer_begins_it_has_its_jobs_stopped_when_the_run_ends(
    stack: Stack, ask: httpx.Client
) -> None:
    campaign = Campaign(stack, ask, "brief")
    eventually(lambda: stack.airflow.has_dag("brief"), "the DAG is parsed")
    assert campaign.finish(campaign.trigger("made", stages=["create"])) == "success"
    triggerer = stack.service("triggerer")
    triggerer.send_signal(signal.SIGSTOP)
    run = campaign.trigger("early", stages=["submit"])
    pod = held(campaign, run)
    (wait,) = [one for one in stack.airflow.tasks("brief", run) if one.task_id == "cluster.wait_for_jobs"]
    stack.mark(run, wait, "success", dag="brief")
    triggerer.send_signal(signal.SIGCONT)
    assert campaign.finish(run) == "failed"  # for its shard has no result
    assert stack.suspended("brief-0") == {True}
    eventually(lambda: not pod.is_running(), "its pod has ended")


def test_a_run_goes_on_to_its_end_though_its_file_breaks_and_goes(stack: Stack, ask: httpx.Client) -> None:
    campaign = Campaign(stack, ask, "brief")
    file = Path(os.environ["HIGGS_CONFIG"]) / "brief.json"
    eventually(lambda: stack.airflow.has_dag("brief"), "the DAG is parsed")
    run = campaign.trigger("gone", cleanup="clusters")
    pod = held(campaign, run)
    file.write_text("{")
    read_again(ask, "brief")
    broken = {"filename_pattern": "%brief.json%"}
    eventually(lambda: ask.get("/importErrors", params=broken).json()["total_entries"], "the file is broken")
    file.unlink()
    gone = datetime.now(UTC)
    read_again(ask, "brief")

    def parsed() -> bool:
        parsed_at = ask.get("/dags/brief").raise_for_status().json()["last_parsed_time"]
        return datetime.fromisoformat(parsed_at) > gone  # else Airflow takes it for gone after 50 s

    eventually(parsed, "the DAG is there without its file")
    assert janitor(stack, ask, "beside-it", remove=True) == []
    release([pod])
    assert campaign.finish(run) == "success"
    assert "brief-0" not in stack.contexts()
    assert kept(ask, "brief") == 0


def read_again(ask: httpx.Client, dag: str) -> None:
    """Let Airflow parse a DAG's file at once, which it does every half minute anyway."""
    token = ask.get(f"/dags/{dag}").raise_for_status().json()["file_token"]
    ask.put(f"/parseDagFile/{token}").raise_for_status()


def kept(ask: httpx.Client, dag: str) -> int:
    """How many Variables Airflow keeps of a campaign's runs and clusters."""
    found = ask.get("/variables", params={"variable_key_pattern": f"higgsdemo-%{dag}%"})
    return int(found.raise_for_status().json()["total_entries"])


def test_runs_of_a_backfill_and_another_do_not_delete_each_others_cluster(
    stack: Stack, ask: httpx.Client
) -> None:
    eventually(lambda: stack.airflow.has_dag("daily"), "the DAG is parsed")
    conf, today = {"cleanup": "clusters"}, datetime.now(UTC)
    days = {
        "from_date": f"{today - timedelta(days=3):%F}T00:00Z",
        "to_date": f"{today - timedelta(days=2):%F}T23:00Z",
    }
    backfill = {"dag_id": "daily", "dag_run_conf": conf, **days}
    ask.post("/backfills", json=backfill).raise_for_status()
    Campaign(stack, ask, "daily").trigger("by-hand", **conf)

    def ended() -> list[str] | None:
        runs = ask.get("/dags/daily/dagRuns").raise_for_status().json()["dag_runs"]
        states = [run["state"] for run in runs]
        return states if {*states} <= {"success", "failed"} else None

    states = eventually(ended, "all runs have ended")
    assert ({*states}, len(states) > 2) == ({"success"}, True)
    assert "daily-0" not in stack.contexts()
    assert kept(ask, "daily") == 0

"""What the page and `watch` are told of a run, from Airflow's side and the bucket's side."""

import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from airflow_runs import HIGGS, TTBAR, airflow_run
from higgsdemo.page.run_documents import PROGRESS, RUN_CHART, RUN_SUMMARY, Documents, in_words
from higgsdemo.page.snapshot import Snapshot, of_merged
from higgsdemo.page.state import run_state
from higgsdemo.prediction import account_rows
from higgsdemo.publication.summary import FAILURES, RUN_RECORD
from higgsdemo.storage.object_store import StoredObject
from tables import cases

CHANNEL = {"data": {"counts": [1], "low": [0], "high": [2]}, "stack": {}, "error": [0]}
SPECTRUM = RUN_CHART.validate_python(
    {"title": "", "note": None, "luminosity": "", "coverage": 1, "absent": [], "channels": {"all": CHANNEL}}
)
LISTED = {"kubecon-demo-0": {TTBAR: 4}, "kubecon-demo-1": {HIGGS: 10}}
NEVER = (("0 of 4", 4), ("4 of 10", 6), ("4 of 14", 10))
WAITING: dict[str, str | None] = {"plan": "success", "cluster.wait_for_jobs[1]": "deferred"}
JOBS = {
    "kubecon-demo-1": {
        HIGGS: {
            "shards": {"total": 10, "done": 1, "failed": 1, "running": 3},
            "pods": {"pending": 5, "running": 3, "succeeded": 1, "failed": 2},
            "waiting": "no node has room",
        }
    }
}


def shards(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the counts of each cluster, without the pace."""
    return [
        {key: value for key, value in cluster["shards"].items() if key not in ("rate", "eta", "said")}
        for cluster in state["clusters"]
    ]


def test_results_in_the_bucket_and_jobs_in_the_cluster_make_the_counts() -> None:
    seen = Snapshot(counted={TTBAR: 4, HIGGS: 4}, jobs=JOBS)
    state = run_state(airflow_run(tasks=WAITING, listed=LISTED), seen, "")
    assert shards(state) == [
        {"total": 4, "done": 4, "running": 0, "failed": 0, "pending": 0},
        {"total": 10, "done": 4, "running": 3, "failed": 1, "pending": 2},
    ]
    assert [state["total"][key] for key in ("total", "done", "pending")] == [14, 8, 2]
    assert state["pods"] == {"pending": 5, "running": 3, "succeeded": 1, "failed": 2}
    assert [cluster["waiting"] for cluster in state["clusters"]] == [None, "no node has room"]


@pytest.mark.parametrize(
    ("found", "said", "counts"),
    [
        (10, {"running": 30}, {"running": 20, "failed": 0, "pending": 30}),
        (29, {"failed": 30, "surely": 1}, {"running": 0, "failed": 1, "pending": 30}),
        (35, {"failed": 30, "surely": 1, "running": 30}, {"running": 24, "failed": 1, "pending": 0}),
        (29, {"done": 30, "running": 30}, {"running": 30, "failed": 0, "pending": 1}),
        (59, {"running": 30}, {"running": 1, "failed": 0, "pending": 0}),
    ],
)
def test_progress_is_told_by_shard_where_a_pod_has_thirty(
    found: int, said: dict[str, int], counts: dict[str, int]
) -> None:
    jobs = {"kubecon-demo-1": {HIGGS: {"shards": said, "pods": {"running": "running" in said}}}}
    seen = Snapshot(counted={HIGGS: found}, jobs=jobs, complete=True)  # type: ignore[arg-type]
    run = airflow_run(tasks=WAITING, listed=LISTED | {"kubecon-demo-1": {HIGGS: 60}})
    assert shards(run_state(run, seen, ""))[1] == {"total": 60, "done": found} | counts
    not_all_are_read = replace(seen, complete=False)
    assert shards(run_state(run, not_all_are_read, ""))[1]["done"] == max(found, said.get("done", 0))


def test_the_results_of_a_split_dataset_are_shared_out_as_its_jobs_say() -> None:
    run = airflow_run(tasks=WAITING | {"cluster.wait_for_jobs[0]": "deferred"})
    datasets = {"datasets": run.assignments[1].cluster.datasets}
    parts = [
        one.model_copy(update={"cluster": one.cluster.model_copy(update=datasets)}) for one in run.assignments
    ]
    listed = {"kubecon-demo-0": {HIGGS: 3}, "kubecon-demo-1": {HIGGS: 10}}
    split = type(run)(**vars(run) | {"assignments": tuple(parts), "listed": listed})
    one = {HIGGS: {"shards": {"done": 1}, "pods": {}}}
    jobs = {"kubecon-demo-0": one, "kubecon-demo-1": {HIGGS: {"shards": {"done": 6}, "pods": {}}}}
    now = time.time()
    times = np.array([now - 40] + [now - 10] * 7)
    state = run_state(split, Snapshot(counted={HIGGS: 8}, finished={HIGGS: times}, jobs=jobs), "")
    assert [counts["done"] for counts in shards(state)] == [2, 6]
    rates = [round(30 * cluster["shards"]["rate"], 2) for cluster in state["clusters"]]
    assert rates == [7 * 2 / 8, round(7 * 6 / 8, 2)]
    whole = run_state(split, Snapshot(counted={HIGGS: 13}, jobs=jobs), "")
    assert [counts["done"] for counts in shards(whole)] == [3, 10]


def test_the_pace_is_that_of_each_cluster_since_the_first_result() -> None:
    now = time.time()
    times = {TTBAR: now - np.array([60.0, 59.5, 30]), HIGGS: now - np.array([59.0, 1])}
    seen = Snapshot(counted={TTBAR: 3, HIGGS: 2}, finished=times)
    pace = run_state(airflow_run(tasks=WAITING, listed=LISTED), seen, "")["pace"]
    parts = {name: [part * pace["seconds"] for part in parts] for name, parts in pace["clusters"].items()}
    assert {name: round(sum(found)) for name, found in parts.items()} == {
        "kubecon-demo-0": 3,
        "kubecon-demo-1": 2,
    }
    assert round(parts["kubecon-demo-0"][0]) == 2
    assert run_state(airflow_run(), Snapshot(), "")["pace"] is None


def test_the_significance_is_that_of_the_summary_once_there_is_one() -> None:
    run, found = airflow_run("success"), {"observed_significance": 3.6}
    assert run_state(run, Snapshot(summary={"discovery": found}), "")["discovery"] == found
    assert run_state(run, Snapshot(), "")["discovery"] is None


def test_what_a_cluster_was_last_seen_doing_is_forgotten_once_its_wait_is_over() -> None:
    over = airflow_run(tasks={"cluster.wait_for_jobs[1]": "failed"}, listed=LISTED)
    reason = {"cluster": "kubecon-demo-1", "dataset": HIGGS, "shard": "s", "reason": "exit code 65"}
    state = run_state(over, Snapshot(counted={HIGGS: 4}, jobs=JOBS, failures=(reason,)), "")
    assert shards(state)[1] == {"total": 10, "done": 4, "running": 0, "failed": 1, "pending": 5}
    assert state["clusters"][1]["pods"] == {"pending": 0, "running": 0, "succeeded": 0, "failed": 0}
    assert state["clusters"][1]["waiting"] is None
    assert state["failures"] == {"count": 1, "shown": [reason]}


def test_before_shards_are_listed_there_is_no_total() -> None:
    state = run_state(airflow_run(tasks={"plan": "success"}), Snapshot(), "")
    assert [counts["total"] for counts in shards(state)] == [None, None]
    assert state["total"]["total"] is None


ONE_LISTED = [
    "shards not listed yet",
    *(f"4 of {all_of_them} shards done, 0 failed, 6 to do" for all_of_them in ("10", "at least 10")),
]
AT_WORK = [
    "0 of 4 shards done, 0 failed, 4 to do",
    *(f"4 of {n} shards done, 1 failed, 3 running, {pending} pending" for n, pending in ((10, 2), (14, 6))),
]


@pytest.mark.parametrize(
    ("listed", "jobs", "ended", "said"),
    [
        ({}, {}, False, ["shards not listed yet"] * 3),
        ({"kubecon-demo-1": {HIGGS: 10}}, {}, False, ONE_LISTED),
        (LISTED, JOBS, False, AT_WORK),
        (LISTED, JOBS, True, [f"{n} shards done, 0 failed, {m} never ran" for n, m in NEVER]),
    ],
)
def test_the_counts_say_what_is_known(
    listed: dict[str, dict[str, int]], jobs: Any, ended: bool, said: list[str]
) -> None:
    run = airflow_run("failed" if ended else "running", tasks=WAITING, listed=listed)
    seen = Snapshot(counted={HIGGS: 4} if listed else {}, jobs=jobs, complete=ended)
    state = run_state(run, seen, "")
    assert [one["shards"]["said"] for one in state["clusters"]] + [state["total"]["said"]] == said


def test_before_the_plan_there_are_stages_alone() -> None:
    run = airflow_run(tasks={"plan": "running"})
    state = run_state(type(run)(**vars(run) | {"assignments": ()}), Snapshot(), "")
    assert (state["clusters"], state["output"], state["total"]["total"]) == ([], None, None)
    assert [(stage["name"], stage["state"]) for stage in state["stages"]] == [("plan", "running")]


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    now = time.time()
    times = np.array([now - 300, now - 200, now - 20, now - 10, now - 1])
    seen = Snapshot(counted={HIGGS: 5}, finished={HIGGS: times}, jobs=JOBS)
    counts = run_state(airflow_run(tasks=WAITING, listed=LISTED), seen, "")["clusters"][1]["shards"]
    assert round(counts["rate"], 2) == 0.1
    assert round(counts["eta"]) == 40  # 4 shards, neither done nor failed


def test_links_lead_to_the_tasks_of_the_run_below_airflows_own_path() -> None:
    tasks: dict[str, str | None] = {"plan": "success", "cluster.create_cluster[0]": "success"}
    state = run_state(airflow_run(tasks=tasks), Snapshot(), "/airflow")
    assert state["run"]["url"] == "/airflow/dags/demo-local/runs/one"
    assert [stage["url"].removeprefix(state["run"]["url"]) for stage in state["stages"]] == [
        "/tasks/plan",
        "/tasks/group/cluster",
    ]
    assert state["clusters"][1]["steps"][0] == {
        "name": "create_cluster",
        "label": "create",
        "state": None,
        "url": f"{state['run']['url']}/tasks/cluster.create_cluster/mapped/1",
    }


def test_a_stage_of_mapped_tasks_shows_the_state_that_needs_attention_most() -> None:
    states = {"cluster.wait_for_jobs[0]": "success", "cluster.wait_for_jobs[1]": "failed"}
    state = run_state(airflow_run(tasks=states), Snapshot(), "")  # type: ignore[arg-type]
    assert state["stages"][0]["state"] == "failed"


@cases
def test_what_has_failed_is_told_with_its_cluster_its_reason_and_what_to_do(
    tasks: dict[str, str | None], reasons: dict[str, str], told: list[str], advice: str | None
) -> None:
    state = run_state(airflow_run(tasks=tasks, reasons=reasons), Snapshot(), "")
    assert [cause["text"] for cause in state["causes"]] == told
    assert (advice or "None") in str(state["advice"])


def test_datasets_that_will_end_last_by_far_are_named() -> None:
    now = time.time()
    tasks: dict[str, str | None] = {f"cluster.wait_for_jobs[{i}]": "deferred" for i in range(2)}
    finished = {name: np.array([now - 40] + [now - 10] * 9) for name in (TTBAR, HIGGS)}
    listed = {"kubecon-demo-0": {TTBAR: 12}, "kubecon-demo-1": {HIGGS: 1000}}
    seen = Snapshot(counted={TTBAR: 10, HIGGS: 10}, finished=finished)
    assert run_state(airflow_run(tasks=tasks, listed=LISTED), seen, "")["slow"] == []
    (slow,) = run_state(airflow_run(tasks=tasks, listed=listed), seen, "")["slow"]
    assert (slow["cluster"], slow["dataset"], round(slow["eta"])) == ("kubecon-demo-1", HIGGS, 3300)


class Held:
    """One object of a store."""

    url = "s3://bucket/run"

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, key: str, limit: int) -> bytes:
        return self._content


OF_PROGRESS = ["shards", "pods", "done", "running", "datasets"]
OF_FAILURES = ["cluster", "dataset", "shard", "reason", "log", "failures"]
NAMES = st.sampled_from([*OF_PROGRESS, *OF_FAILURES, HIGGS])


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=5)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), nested, max_leaves=60
)
COUNTS = st.dictionaries(NAMES, st.integers(-1, 9), max_size=4)
SIZES = st.integers(0, 10**400) | st.floats() | st.none()
ACCOUNTS = st.fixed_dictionaries(
    {"shards": SIZES}, optional={name: SIZES for name in ("pods", "bytes", "seconds", "core_hours", "cost")}
)
RECORDS = st.fixed_dictionaries({"predicted": ACCOUNTS}, optional={"datasets": st.just({})})
JOBS_SEEN = st.dictionaries(st.just(HIGGS), st.dictionaries(NAMES, COUNTS | ANYTHING, max_size=3))


@pytest.mark.parametrize("kind", [PROGRESS, FAILURES, RUN_SUMMARY, RUN_CHART, RUN_RECORD])
@given(ANYTHING | JOBS_SEEN | RECORDS)
def test_whatever_json_an_object_of_the_folder_holds_is_shown_or_told(
    kind: TypeAdapter[Any], value: Any
) -> None:
    documents, known = Documents(), StoredObject("some.json", 1)
    said = documents.read(Held(json.dumps(value).encode()), known, kind)  # type: ignore[arg-type]
    assert (said is None) is (len(documents.faults) == 1)
    assert all(fault.startswith("s3://bucket/run/some.json is not what") for fault in documents.faults)
    if kind in (RUN_SUMMARY, RUN_RECORD) and said:
        account_rows(said.predicted, None)
    seen = Snapshot(
        jobs={"kubecon-demo-1": said} if kind is PROGRESS and said else {}, error=in_words(documents.faults)
    )
    if kind is RUN_SUMMARY and said:
        seen = of_merged(said, SPECTRUM, seen)
    json.dumps(run_state(airflow_run(tasks=WAITING, listed=LISTED), seen, ""), allow_nan=False)

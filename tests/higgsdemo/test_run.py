"""What a run allows, and how it outlives an upgrade of the project in XCom and in the triggerer."""

import json
from pathlib import Path
from typing import Any

import pytest

from higgsdemo.operators.base import TaskFailedForGood, read_assignment
from higgsdemo.run import ClusterRun
from higgsdemo.tolerance import allowed as tolerate
from higgsdemo.triggers.prepull import PrepullTrigger
from planned_runs import planned


@pytest.mark.parametrize(
    ("tolerance", "shards", "allowed"),
    [(0, 5, 0), (3, 5, 3), (0.1, 106, 10), (0.001, 2692, 2), (0.29, 100, 29), (0.57, 100, 57)],
)
def test_a_fraction_allows_what_it_says(tolerance: float, shards: int, allowed: int) -> None:
    assert tolerate(planned({"tolerance": tolerance}).run.tolerance, shards) == allowed


def of_newer_code(**changes: Any) -> dict[str, Any]:
    """Return a planned run as JSON, with fields that are not known here wherever there may be some."""
    document = planned().model_dump(mode="json")
    parts = [document["run"], cluster := document["cluster"], cluster["resources"], *cluster["datasets"]]
    for part in parts:
        part["new"] = "of a later version"
    return document | {"new": 1} | changes


def test_fields_of_newer_code_are_passed_over() -> None:
    assert ClusterRun.read(of_newer_code()) == planned()


def test_what_the_first_version_has_planned_is_read() -> None:
    first = Path(__file__).parent / "manifests" / "cluster-run.json"
    assert ClusterRun.read(json.loads(first.read_text())) == planned()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"format": 3}, "format is 3, and 2 the newest that is known here"),
        ({"run": {}}, "run.image: Field required"),
    ],
)
def test_a_plan_that_cannot_be_gone_on_with_ends_its_task_for_good_and_no_triggerer(
    changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(TaskFailedForGood, match=rf"{why}\): give all parts .* clear plan"):
        read_assignment(of_newer_code(**changes))
    with pytest.raises(TypeError):  # what Airflow takes for the end of this trigger alone
        PrepullTrigger(of_newer_code(**changes), 1.0, None, "pull")

"""Quantities, conditions and selectors, as the Kubernetes reference has them (common-definitions)."""

from typing import Any

import pytest

from localkube.objects.object import Obj, quantity
from localkube.objects.selectors import field_selector


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("0.9", 0.9),
        ("900m", 0.9),
        ("6Gi", 6442450944),
        ("1e3", 1000),
        ("2k", 2000),
        (".5", 0.5),
        ("1E", 1e18),
        (2, 2),
    ],
)
def test_a_quantity_has_a_value(text: object, value: float) -> None:
    assert quantity(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "six", "1 Gi", "1GiB", "1e", "--1", None, True])
def test_what_is_no_quantity_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="is no quantity such as 500m, 2 or 6Gi"):
        quantity(text)


def test_a_condition_keeps_its_place_and_its_time_until_its_status_changes() -> None:
    since = {"lastTransitionTime": "2020-01-01T00:00:00Z"}
    old = [{"type": "A", "status": "True", **since}, {"type": "B", "status": "False", **since}]
    obj = Obj(status={"conditions": old})

    def conditions(*condition: Any) -> Any:
        return obj.with_condition(*condition)["status"]["conditions"]

    same = conditions("A", True, "Why", "text")
    assert same[0] == old[0] | {"lastProbeTime": None, "reason": "Why", "message": "text"}
    assert same[1] is old[1]
    changed = conditions("B", True)
    assert changed[1]["lastTransitionTime"] > "2020-01-01T00:00:00Z"
    assert [one["type"] for one in conditions("C", True)] == ["A", "B", "C"]


def test_fields_are_compared_as_text() -> None:
    matches = field_selector("spec.unschedulable=true", {"spec.unschedulable": "spec.unschedulable"})
    assert matches is not None
    assert matches(Obj(spec={"unschedulable": True}))
    assert not matches(Obj(spec={}))

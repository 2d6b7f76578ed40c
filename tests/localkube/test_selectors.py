"""Label selectors as kubernetes.io/docs/concepts/overview/working-with-objects/labels defines them."""

import pytest

from localkube.objects.object import Obj
from localkube.objects.selectors import field_selector, label_selector, selects

LABELS = {"app": "higgs", "tier": "2", "example.org/x": ""}


def test_an_empty_selector_selects_everything() -> None:
    assert label_selector("") is None
    assert field_selector("", {}) is None
    assert selects({}, LABELS)
    assert not selects(None, LABELS)


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ({"key": "tier", "operator": "Gt", "values": ["1"]}, True),
        ({"key": "tier", "operator": "Lt", "values": ["1"]}, False),
        ({"key": "app", "operator": "Gt", "values": ["1"]}, False),
        ({"key": "app", "operator": "In", "values": ["higgs"]}, True),
        ({"key": "app", "operator": "NotIn", "values": ["higgs"]}, False),
        ({"key": "none", "operator": "DoesNotExist"}, True),
    ],
)
def test_an_expression_holds(expression: dict[str, object], holds: bool) -> None:
    assert selects({"matchExpressions": [expression]}, LABELS) is holds


def test_fields_are_compared_as_text() -> None:
    matches = field_selector("spec.unschedulable=true", {"spec.unschedulable": "spec.unschedulable"})
    assert matches is not None
    assert matches(Obj(spec={"unschedulable": True}))
    assert not matches(Obj(spec={}))

"""Strategic merge, as kubernetes.io/docs/tasks/manage-kubernetes-objects has it."""

from typing import Any

import pytest

from localkube.api.patch import merge, strategic
from localkube.objects.errors import ApiError
from tables import cases

CONTAINERS = [{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b", "image": "1"}]


@cases
def test_lists_with_a_merge_key_are_merged_by_it(patch: Any, result: Any) -> None:
    assert strategic({"containers": CONTAINERS}, {"containers": patch}) == {"containers": result}


def test_other_lists_are_replaced() -> None:
    assert strategic({"args": ["1", "2"]}, {"args": ["3"]}) == {"args": ["3"]}
    assert strategic({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}) == {
        "tolerations": [{"key": "b"}]
    }


def test_directives_retain_and_delete() -> None:
    assert strategic({"a": {"x": 1, "y": 2}}, {"a": {"$retainKeys": ["y"], "y": 3}}) == {"a": {"y": 3}}
    assert strategic({"a": {"x": 1}}, {"a": {"$patch": "delete"}}) == {}
    assert strategic({"finalizers": ["a"]}, {"finalizers": ["b"]}) == {"finalizers": ["a", "b"]}


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        ({"containers": [{"image": "2"}]}, "does not contain declared merge key: name"),
        ({"containers": [{"name": "a", "$patch": "merge"}]}, "directive \\$patch: merge"),
        ({"$deleteFromPrimitiveList/finalizers": ["a"]}, "directive \\$deleteFromPrimitiveList/finalizers"),
    ],
)
def test_what_cannot_be_merged_is_refused(patch: dict[str, Any], told: str) -> None:
    with pytest.raises(ApiError, match=told):
        strategic({"containers": CONTAINERS}, patch)


def test_the_patched_object_is_left_as_it_is() -> None:
    target = {"containers": [{"name": "a", "env": []}], "x": {"y": 1}}
    strategic(target, {"containers": [{"name": "a", "env": [{"name": "Z"}]}], "x": {"y": 2}})
    merge(target, {"x": {"y": 3}})
    assert target == {"containers": [{"name": "a", "env": []}], "x": {"y": 1}}

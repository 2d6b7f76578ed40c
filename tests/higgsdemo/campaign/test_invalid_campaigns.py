"""Campaigns that cannot be run are refused with one message: what is wrong, where, and what is allowed."""

import json
from typing import Any

import pytest

from campaign_changes import Refusal
from refusals import refusals, table


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [(*wrong, rule) for rule, values in table("values").items() for wrong in values],
)
def test_a_value_is_refused_with_what_it_must_be(refusal: Refusal, path: str, value: Any, rule: str) -> None:
    field = path.replace(".0", "[0]")
    assert refusal({path: value}) == f": {field} is {json.dumps(value)}; it must be {rule}"


@pytest.mark.parametrize(("changes", "message"), refusals("campaigns"))
def test_an_invalid_campaign_is_refused_with_one_message(
    refusal: Refusal, changes: dict[str, Any], message: str
) -> None:
    assert refusal(changes) == message

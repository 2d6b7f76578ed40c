"""A failed shard's reason, in one line, from what Kubernetes tells of its pod."""

from typing import Any

import pytest

from higgsdemo.kubernetes.failures import pod_reason
from tables import cases


def ended(message: str) -> dict[str, Any]:
    """Return a pod whose container has ended with this message."""
    terminated = {"exitCode": 1, "reason": "Error", "message": message}
    return {"status": {"containerStatuses": [{"name": "a", "state": {"terminated": terminated}}]}}


@cases
def test_the_reason_names_what_ended_the_pod(status: dict[str, Any], reason: str) -> None:
    assert pod_reason({"status": status}) == reason


@pytest.mark.parametrize(
    ("shard", "reason"), [("a", "second try"), ("a: b", "none"), ("c", "2 of 3 shards failed")]
)
def test_a_pod_of_several_shards_tells_of_each(shard: str, reason: str) -> None:
    message = "a: first try\na: second try\na: b: none\n2 of 3 shards failed"
    assert pod_reason(ended(message), shard, ("a", "a: b", "c")) == f"Error, exit code 1, {reason}"


def test_a_shard_is_not_told_what_another_failed_for() -> None:
    assert pod_reason(ended("a: no tree"), "b", ("a", "b")) == "Error, exit code 1"

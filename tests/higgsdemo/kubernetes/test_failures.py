"""A failed shard's reason, in one line, from what Kubernetes tells of its pod."""

from typing import Any

import pytest

from higgsdemo.kubernetes.failures import pod_reason


def ended(code: int, reason: str = "Error", message: str | None = None, of: str = "") -> dict[str, Any]:
    """Return the status of a pod whose container has ended so: the analysis, or one that stages in."""
    terminated = {"exitCode": code, "reason": reason} | ({"message": message} if message else {})
    return {of or "containerStatuses": [{"name": "a", "state": {"terminated": terminated}}]}


FATAL = """\
An exception of category 'FileReadError' occurred while
   [0] Processing run: 194050
   Additional Info:
      [a] Fatal Root Error: file is truncated
----- End Fatal Exception -------------------------------------
"""
FATAL_LINE = "An exception of category 'FileReadError' occurred while Fatal Root Error: file is truncated"
TRACEBACK = "Traceback (most recent call last):\n  File"
ESCAPED = r"Error, exit code 1, \u001b]0;owned\u0007\u001b[2Jno \u202etoor.a"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (ended(1), "Error, exit code 1"),
        (ended(137, "OOMKilled"), "OOMKilled, exit code 137"),
        (
            ended(65, message="reading\ns3://b/a.root: no Events"),
            "Error, exit code 65, s3://b/a.root: no Events",
        ),
        ({"reason": "Evicted", "message": "The node was low on RAM."}, "Evicted, The node was low on RAM."),
        (
            ended(75, of="initContainerStatuses") | {"containerStatuses": [{"state": {}}]},
            "Error, exit code 75",
        ),
        (ended(84, message=FATAL), f"Error, exit code 84, {FATAL_LINE}"),
        (ended(1, message=f"{TRACEBACK}\nOSError: no\nbye"), "Error, exit code 1, OSError: no"),
        ({}, "no reason given"),
        (ended(1, message="\x1b]0;owned\x07\x1b[2Jno \u202etoor.a"), ESCAPED),
    ],
)
def test_the_reason_names_what_ended_the_pod(status: dict[str, Any], reason: str) -> None:
    assert pod_reason({"status": status}) == reason


@pytest.mark.parametrize(
    ("shard", "reason"), [("a", "second try"), ("a: b", "none"), ("c", "2 of 3 shards failed")]
)
def test_a_pod_of_several_shards_tells_of_each(shard: str, reason: str) -> None:
    message = "a: first try\na: second try\na: b: none\n2 of 3 shards failed"
    pod = {"status": ended(1, message=message)}
    assert pod_reason(pod, shard, ("a", "a: b", "c")) == f"Error, exit code 1, {reason}"


def test_a_shard_is_not_told_what_another_failed_for() -> None:
    pod = {"status": ended(1, message="a: no tree")}
    assert pod_reason(pod, "b", ("a", "b")) == "Error, exit code 1"

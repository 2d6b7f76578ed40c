"""A failed shard's reason, in one line, from what Kubernetes tells of its pod."""

from __future__ import annotations

from typing import Any

import pytest

from higgsdemo.kubernetes.failures import pod_reason


def ended(code: int, reason: str = "Error", message: str | None = None) -> dict[str, Any]:
    terminated = {"exitCode": code, "reason": reason} | ({"message": message} if message else {})
    return {"name": "analysis", "state": {"terminated": terminated}}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"containerStatuses": [ended(1)]}, "Error, exit code 1"),
        ({"containerStatuses": [ended(137, "OOMKilled")]}, "OOMKilled, exit code 137"),
        (
            {"containerStatuses": [ended(65, message="reading\ns3://b/a.root: no tree Events, only Runs")]},
            "Error, exit code 65, s3://b/a.root: no tree Events, only Runs",
        ),
        (
            {"reason": "Evicted", "message": "The node was low on resource: memory."},
            "Evicted, The node was low on resource: memory.",
        ),
        (
            {
                "initContainerStatuses": [ended(75) | {"name": "stage-in"}],
                "containerStatuses": [{"state": {}}],
            },
            "Error, exit code 75",
        ),
        ({}, "no reason given"),
    ],
)
def test_the_reason_names_what_ended_the_pod(status: dict[str, Any], reason: str) -> None:
    assert pod_reason({"status": status}) == reason

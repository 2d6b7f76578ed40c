"""When a Job is over, and why: the conditions FailureTarget and SuccessCriteriaMet."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from localkube.objects import Obj, is_true, seconds


@dataclass(frozen=True)
class Verdict:
    """The condition that announces the end, FailureTarget or SuccessCriteriaMet, with reason and message."""

    target: str
    reason: str
    message: str


def has_ended(job: Obj) -> bool:
    """Whether the Job has its last condition."""
    return is_true(job, "Complete") or is_true(job, "Failed")


def target_of(conditions: Iterable[Obj]) -> Verdict | None:
    """The verdict that was announced before."""
    for one in conditions:
        if one["type"] in ("FailureTarget", "SuccessCriteriaMet") and one["status"] == "True":
            return Verdict(one["type"], one.get("reason", ""), one.get("message", ""))
    return None


def decide(job: Obj, status: Obj, completed: int, failed_indexes: int, active: list[Obj]) -> Verdict | None:
    """The verdict on a Job with this status and these active pods, or None while it goes on."""
    spec, failed, succeeded = job["spec"], status.get("failed", 0), status.get("succeeded", 0)
    start, deadline = status.get("startTime"), spec.get("activeDeadlineSeconds")
    if deadline is not None and start and not spec["suspend"] and time.time() - seconds(start) >= deadline:
        return Verdict("FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline")
    if failed > spec["backoffLimit"] or _restarted_too_often(spec, active):
        return Verdict("FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    most = spec.get("maxFailedIndexes")
    if most is not None and failed_indexes > most:
        return Verdict(
            "FailureTarget",
            "MaxFailedIndexesExceeded",
            "Job has exceeded the specified maximal number of failed indexes",
        )
    wanted = spec.get("completions")
    if spec["completionMode"] == "Indexed":
        if completed + failed_indexes >= wanted and failed_indexes:
            return Verdict("FailureTarget", "FailedIndexes", "Job has failed indexes")
        done = completed >= wanted
    elif wanted is None:
        done = succeeded > 0 and not active
    else:
        done = succeeded >= wanted
    if done:
        return Verdict(
            "SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods"
        )
    return None


def _restarted_too_often(spec: Obj, active: list[Obj]) -> bool:
    """With restartPolicy OnFailure the restarts of containers count against the backoff limit."""
    if spec["template"]["spec"]["restartPolicy"] != "OnFailure":
        return False
    restarts = sum(
        one["restartCount"]
        for pod in active
        for kind in ("initContainerStatuses", "containerStatuses")
        for one in (pod.get("status") or {}).get(kind) or ()
    )
    return bool(restarts > 0 if spec["backoffLimit"] == 0 else restarts >= spec["backoffLimit"])

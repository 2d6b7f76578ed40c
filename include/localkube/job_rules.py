"""The rules of Jobs, as functions of what is there: what a failed pod means, when a Job is over, and why."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from localkube.objects import Obj, is_true, lookup, name_of, namespace_of, seconds


@dataclass(frozen=True)
class Verdict:
    """The condition that announces the end, FailureTarget or SuccessCriteriaMet, with reason and message."""

    target: str
    reason: str
    message: str


def announced(conditions: Iterable[Obj]) -> Verdict | None:
    """The verdict that the conditions of a Job tell of."""
    for one in conditions:
        if one["type"] in ("FailureTarget", "SuccessCriteriaMet") and one["status"] == "True":
            return Verdict(one["type"], one.get("reason", ""), one.get("message", ""))
    return None


def decide(job: Obj, status: Obj, failed_indexes: int, active: list[Obj]) -> Verdict | None:
    """The verdict on a Job with this status and these active pods, or None while it goes on."""
    spec, succeeded, wanted = job["spec"], status.get("succeeded", 0), job["spec"].get("completions")
    start, deadline, most = (
        status.get("startTime"),
        spec.get("activeDeadlineSeconds"),
        spec.get("maxFailedIndexes"),
    )
    if deadline is not None and start and not spec["suspend"] and time.time() - seconds(start) >= deadline:
        return Verdict("FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline")
    if status.get("failed", 0) > spec["backoffLimit"] or _restarted_too_often(spec, active):
        return Verdict("FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    if most is not None and failed_indexes > most:
        message = "Job has exceeded the specified maximal number of failed indexes"
        return Verdict("FailureTarget", "MaxFailedIndexesExceeded", message)
    if failed_indexes and succeeded + failed_indexes >= wanted:
        return Verdict("FailureTarget", "FailedIndexes", "Job has failed indexes")
    if (succeeded > 0 and not active) if wanted is None else succeeded >= wanted:
        message = "Reached expected number of succeeded pods"
        return Verdict("SuccessCriteriaMet", "CompletionsReached", message)
    return None


def _restarted_too_often(spec: Obj, active: list[Obj]) -> bool:
    """With restartPolicy OnFailure the restarts of containers count against the backoff limit."""
    if spec["template"]["spec"]["restartPolicy"] != "OnFailure":
        return False
    restarts = sum(one["restartCount"] for pod in active for one in _statuses(pod))
    return bool(restarts > 0 and restarts >= spec["backoffLimit"])


def _statuses(pod: Obj) -> list[Obj]:
    kinds = ("initContainerStatuses", "containerStatuses")
    return [one for kind in kinds for one in lookup(pod, f"status.{kind}") or ()]


def action_for(job: Obj, pod: Obj) -> tuple[str, str]:
    """The action of the first rule of the podFailurePolicy that matches a failed pod, and why it does.

    Count where none does.
    """
    for n, rule in enumerate(lookup(job, "spec.podFailurePolicy.rules") or ()):
        matched = _exit_code(rule["onExitCodes"], pod) if "onExitCodes" in rule else _condition(rule, pod)
        if matched:
            subject, what = matched
            where = f"{subject} {namespace_of(pod)}/{name_of(pod)}"
            return rule["action"], f"{where} {what} matching {rule['action']} rule at index {n}"
    return "Count", ""


def _exit_code(wanted: Obj, pod: Obj) -> tuple[str, str] | None:
    for one in _statuses(pod):
        code = lookup(one, "state.terminated.exitCode")
        if not code or wanted.get("containerName") not in (None, one["name"]):
            continue
        if (code in wanted["values"]) is (wanted["operator"] == "In"):
            return f"Container {one['name']} for pod", f"failed with exit code {code}"
    return None


def _condition(rule: Obj, pod: Obj) -> tuple[str, str] | None:
    conditions = [(one["type"], one["status"]) for one in lookup(pod, "status.conditions") or ()]
    for pattern in rule["onPodConditions"]:
        if (pattern["type"], pattern["status"]) in conditions:
            return "Pod", f"has condition {pattern['type']}"
    return None


def has_ended(job: Obj) -> bool:
    """Whether the Job has its last condition."""
    return is_true(job, "Complete") or is_true(job, "Failed")


def compress(indexes: Iterable[int]) -> str:
    """Completion indexes as ranges, "0-3,5,9"; two neighbours have a comma between them, as in Kubernetes."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and index == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], index]
        else:
            runs.append([index])
    return ",".join(("," if run[-1] == run[0] + 1 else "-").join(map(str, run)) for run in runs)


def expand(text: str | None) -> set[int]:
    """The set of indexes that `compress` wrote."""
    indexes: set[int] = set()
    for part in (text or "").split(",") if text else ():
        first, _, last = part.partition("-")
        indexes.update(range(int(first), int(last or first) + 1))
    return indexes

"""What a failed pod means for its Job: the podFailurePolicy."""

from __future__ import annotations

from localkube.objects import Obj, lookup, name_of, namespace_of


def action_for(job: Obj, pod: Obj) -> tuple[str, str]:
    """The action of the first rule that matches (Count where none does) and, for FailJob, the message."""
    for n, rule in enumerate(lookup(job, "spec.podFailurePolicy.rules") or ()):
        who = _exit_code_matches(rule["onExitCodes"], pod) if "onExitCodes" in rule else None
        if who is not None:
            return rule["action"], (
                f"Container {who[0]} for pod {namespace_of(pod)}/{name_of(pod)} failed with exit code "
                f"{who[1]} matching {rule['action']} rule at index {n}"
            )
        kind = _condition_matches(rule.get("onPodConditions") or (), pod)
        if kind is not None:
            return rule["action"], (
                f"Pod {namespace_of(pod)}/{name_of(pod)} has condition {kind} matching "
                f"{rule['action']} rule at index {n}"
            )
    return "Count", ""


def _exit_code_matches(wanted: Obj, pod: Obj) -> tuple[str, int] | None:
    statuses = [
        *(lookup(pod, "status.initContainerStatuses") or ()),
        *(lookup(pod, "status.containerStatuses") or ()),
    ]
    for one in statuses:
        ended = lookup(one, "state.terminated")
        if wanted.get("containerName") not in (None, one["name"]) or not ended or ended["exitCode"] == 0:
            continue
        if (ended["exitCode"] in wanted["values"]) is (wanted["operator"] == "In"):
            return one["name"], ended["exitCode"]
    return None


def _condition_matches(patterns: list[Obj] | tuple[()], pod: Obj) -> str | None:
    for pattern in patterns:
        for one in lookup(pod, "status.conditions") or ():
            if one["type"] == pattern["type"] and one["status"] == pattern["status"]:
                return str(pattern["type"])
    return None

"""What the API server refuses of a Job."""

from __future__ import annotations

from localkube.causes import Causes
from localkube.objects import Obj

_COUNTS = (
    "parallelism",
    "completions",
    "backoffLimit",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
    "activeDeadlineSeconds",
    "ttlSecondsAfterFinished",
)
_REFUSED = {
    "successPolicy": "success policies",
    "managedBy": "Jobs managed by other controllers",
    "manualSelector": "hand-made selectors",
}
_ACTIONS = ["Count", "FailIndex", "FailJob", "Ignore"]


def check_job(job: Obj, causes: Causes) -> None:
    """Add the causes for which a Job that has its defaults is refused."""
    spec = job["spec"]
    for field in _COUNTS:
        if spec.get(field, 0) < 0:
            causes.invalid(f"spec.{field}", spec[field], "must be greater than or equal to 0")
    for field, what in _REFUSED.items():
        if spec.get(field):
            causes.forbidden(f"spec.{field}", f"localkube has no {what}")
    if spec["selector"] != {"matchLabels": {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]}}:
        causes.invalid("spec.selector", spec["selector"], "`selector` not auto-generated")
    restart = spec["template"]["spec"]["restartPolicy"]
    if restart not in ("OnFailure", "Never"):
        causes.required("spec.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"')
    if len(job["metadata"].get("name", "")) > 63:
        causes.invalid("metadata.name", job["metadata"]["name"], "must be no more than 63 characters")
    _indexed(job, causes)
    if spec.get("podFailurePolicy") is not None:
        if restart != "Never":
            causes.invalid(
                "spec.template.spec.restartPolicy",
                restart,
                'only "Never" is supported when podFailurePolicy is specified',
            )
        _failure_policy(spec, causes)
    replacement = spec["podReplacementPolicy"]
    allowed = ["Failed"] if "podFailurePolicy" in spec else ["Failed", "TerminatingOrFailed"]
    if replacement not in allowed:
        causes.unsupported("spec.podReplacementPolicy", replacement, allowed)


def _indexed(job: Obj, causes: Causes) -> None:
    spec = job["spec"]
    mode, completions = spec["completionMode"], spec.get("completions")
    if mode not in ("Indexed", "NonIndexed"):
        causes.unsupported("spec.completionMode", mode, ["Indexed", "NonIndexed"])
    if mode == "Indexed":
        if completions is None:
            causes.required("spec.completions", "when completion mode is Indexed")
        elif len(job["metadata"].get("name", "")) + len(str(max(completions - 1, 0))) + 1 > 63:
            causes.invalid(
                "metadata.name",
                job["metadata"]["name"],
                f"must be short enough for the host name <name>-{completions - 1} (63 characters)",
            )
        if spec["parallelism"] > 100_000:
            causes.invalid(
                "spec.parallelism",
                spec["parallelism"],
                "must be less than or equal to 100000 when completion mode is Indexed",
            )
    per_index = spec.get("backoffLimitPerIndex")
    if per_index is not None:
        if mode != "Indexed":
            causes.invalid("spec.backoffLimitPerIndex", per_index, "requires indexed completion mode")
        if spec["template"]["spec"]["restartPolicy"] != "Never":
            causes.invalid(
                "spec.template.spec.restartPolicy",
                spec["template"]["spec"]["restartPolicy"],
                'only "Never" is supported when backoffLimitPerIndex is specified',
            )
    most = spec.get("maxFailedIndexes")
    if most is not None:
        if per_index is None:
            causes.required("spec.backoffLimitPerIndex", "when maxFailedIndexes is specified")
        if completions is not None and most > completions:
            causes.invalid("spec.maxFailedIndexes", most, "must be less than or equal to completions")


def _failure_policy(spec: Obj, causes: Causes) -> None:
    rules = spec["podFailurePolicy"].get("rules") or []
    if len(rules) > 20:
        causes.invalid("spec.podFailurePolicy.rules", len(rules), "must have at most 20 rules")
    names = [
        one.get("name")
        for kind in ("initContainers", "containers")
        for one in spec["template"]["spec"].get(kind) or ()
    ]
    for n, rule in enumerate(rules):
        field = f"spec.podFailurePolicy.rules[{n}]"
        codes = rule.get("onExitCodes")
        if rule.get("action") not in _ACTIONS:
            causes.unsupported(f"{field}.action", rule.get("action"), _ACTIONS)
        elif rule["action"] == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
            causes.invalid(f"{field}.action", "FailIndex", "requires the backoffLimitPerIndex to be set")
        if bool(codes) == bool(rule.get("onPodConditions")):
            causes.invalid(
                field, rule.get("action"), "specifying one of OnExitCodes and OnPodConditions is required"
            )
        if codes:
            if codes.get("operator") not in ("In", "NotIn"):
                causes.unsupported(f"{field}.onExitCodes.operator", codes.get("operator"), ["In", "NotIn"])
            if not codes.get("values"):
                causes.invalid(
                    f"{field}.onExitCodes.values", codes.get("values"), "at least one value is required"
                )
            elif codes.get("operator") == "In" and 0 in codes["values"]:
                causes.invalid(
                    f"{field}.onExitCodes.values", codes["values"], "must not be 0 for the In operator"
                )
            if codes.get("containerName") not in (None, *names):
                causes.invalid(
                    f"{field}.onExitCodes.containerName",
                    codes["containerName"],
                    "must be one of the container or initContainer names in the pod template",
                )


def check_job_update(job: Obj, old: Obj, causes: Causes) -> None:
    """Parallelism, suspend, deadlines, ttl and an Indexed Job's completions (with parallelism) may change."""
    new, was = job["spec"], old["spec"]
    for field in (
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "podReplacementPolicy",
    ):
        if new.get(field) != was.get(field):
            causes.invalid(f"spec.{field}", new.get(field), "field is immutable")
    if new["template"] != was["template"]:
        causes.invalid("spec.template", "...", "field is immutable")
    if new.get("completions") != was.get("completions") and (
        new["completionMode"] != "Indexed" or new.get("completions") != new["parallelism"]
    ):
        causes.invalid("spec.completions", new.get("completions"), "field is immutable")
